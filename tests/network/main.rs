//! Published ports on the real kernel: as root when run by root, rootless when run by a user.
#![cfg(all(target_os = "linux", feature = "linux"))]
#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not the stage that they stand on")]
#![allow(clippy::print_stdout, reason = "a skipped test says what it skips, and why")]

mod bridge;
mod datagram;
mod outlet;
mod paused;
mod relay;
#[path = "../runtime/stage.rs"]
#[allow(dead_code, reason = "the runtime's tests use more of it")]
mod stage;
mod street;
#[path = "../runtime/user.rs"]
mod user;
