//! Claims about every life, and the model held against them.
//!
//! In reading order: [`rules`] (the claims), [`moment`] (what they see), [`watched`] (the simulator under their eyes),
//! [`lives`] (lives at random), [`stories`] (the shortest that breaks a rule), [`counterexample`] (written down).

mod chance;
pub mod counterexample;
pub mod grammar;
pub mod lives;
pub mod matrix;
pub mod moment;
pub mod orders;
pub mod quiz;
pub mod rules;
pub mod space;
pub mod stories;
pub mod watched;
