//! The process that stays with a container when the command that made it has gone.

pub mod control;
mod estate;
mod id;

pub use estate::{Estate, EstateError};
pub use id::ContainerId;
