//! The small program that lives in lesson containers and acts out a behaviour, and the image that it comes in.
//!
//! What its commands do is plain data and known on every system, so that the simulator predicts them from the
//! same source; the acting and the image are for Linux.

mod commands;
mod place;

#[cfg(all(target_os = "linux", feature = "linux"))]
mod act;
#[cfg(all(target_os = "linux", feature = "linux"))]
pub mod image;
#[cfg(all(target_os = "linux", feature = "linux"))]
mod init;
#[cfg(all(target_os = "linux", feature = "linux"))]
mod sys;

#[cfg(all(target_os = "linux", feature = "linux"))]
pub use act::main;
pub use commands::{COMMANDS, HEALTH, LABEL, acts_out, conduct, is_lab, without_form};
pub use place::{has, is_in_a_directory};

/// Memory that the program needs for itself.
pub const IDLE_MEMORY: u64 = 256 << 10;
/// Memory that each of its children needs for itself.
pub const CHILD_MEMORY: u64 = 64 << 10;
/// Memory that a parked process needs, before its first instruction.
pub const PARKED_MEMORY: u64 = 256 << 10;
