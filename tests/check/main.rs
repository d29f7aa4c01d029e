//! The rules of every life: that they hold, that they can be broken, and that who breaks them is caught.

#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not the stage that they stand on")]

mod breaks;
mod coverage;
#[cfg(feature = "explore")]
mod explorer;
mod judged;
mod lives;
mod noted;
mod own_rules;
mod regressions;
mod shrunk;
mod space;
mod thought_out;
mod watched;
