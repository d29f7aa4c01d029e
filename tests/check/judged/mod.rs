//! Each rule judges moments that are made up for it: one that breaks it, and its neighbours, which do not.

mod costs;
mod coverage;
mod ends;
mod order;
mod requests;
mod restarts;
mod scene;
mod stops;
