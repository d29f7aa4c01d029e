//! Containers from one command to the next: their keepers, their journals, and what may come in between.
#![cfg(all(target_os = "linux", feature = "linux"))]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]
#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not the stage that they stand on")]

mod completions;
mod crowd;
mod faults;
mod full_disk;
mod journal;
mod life;
mod oddities;
mod ports;
mod reboot;
mod stage;
mod streams;
