//! Claims about every life, and the model held against them.

pub mod matrix;
pub mod quiz;
