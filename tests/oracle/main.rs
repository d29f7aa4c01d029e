//! The model held against a real Docker Engine: `terrarium replay --engine docker`, run as people run it.
#![cfg(all(target_os = "linux", feature = "docker"))]
#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not what they are made of")]
#![allow(
    clippy::print_stdout,
    reason = "a skipped test says what it skips, and how many lives agree is the point"
)]

mod court;
mod ends;
mod lives;
mod shipped;
