//! A life, told from its journal: as chapters when it is looked back on, as lines while it is lived, as objects for programs.

mod chapters;
mod entry;
mod text;

pub use text::{beginning, history, line};

pub use entry::json;
