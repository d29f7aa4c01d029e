//! Ways out of a container that others have found, each really tried from inside. The book has a page on them.
#![cfg(all(target_os = "linux", feature = "linux"))]
#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not the stage that they stand on")]
#![allow(clippy::print_stdout, reason = "a skipped test says what it skips, and why")]
#![allow(dead_code, reason = "the stage is the runtime's, and has more on it")]

mod attack;
mod by_call;
mod by_image;
mod by_joining;
mod docker;
#[path = "../runtime/stage.rs"]
mod stage;
mod target;
mod user;
