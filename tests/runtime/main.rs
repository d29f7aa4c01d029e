//! The runtime on the real kernel: as root when run by root, rootless when run by a user.
#![cfg(all(target_os = "linux", feature = "linux"))]
#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not the stage that they stand on")]
#![allow(clippy::print_stdout, reason = "a skipped test says what it skips, and why")]

mod exec;
mod failures;
mod freezing;
mod isolation;
mod keeper;
mod lent;
mod life;
mod limits;
mod stage;
mod user;
