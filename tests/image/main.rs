//! Images: what archives may do to a host, what of them is kept, and what other programs make of ours.
#![cfg(all(target_os = "linux", feature = "linux"))]
#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not what they are made of")]
#![allow(clippy::print_stdout, reason = "a skipped test says what it skips, and why")]

mod building;
mod carrying;
mod crafted;
mod doors;
mod faults;
mod hostile;
mod interpreter;
mod keeping;
mod nginx;
mod registries;
mod stories;
mod unpacking;
