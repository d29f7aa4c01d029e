//! `terrarium replay`, run as people run it: in the simulator everywhere, on the kernel as root and as an ordinary user.
#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not the theatre that they play in")]
#![allow(clippy::print_stdout, reason = "a skipped test says what it skips, and why")]

#[cfg(all(target_os = "linux", feature = "linux"))]
mod cycles;
#[cfg(all(target_os = "linux", feature = "linux"))]
mod ends;
#[cfg(all(target_os = "linux", feature = "linux"))]
mod freezers;
#[cfg(all(target_os = "linux", feature = "linux"))]
mod kernel;
mod program;
mod promises;
#[cfg(all(target_os = "linux", feature = "linux"))]
mod theatre;
#[cfg(all(target_os = "linux", feature = "linux"))]
mod traces;
mod transcripts;
#[cfg(all(target_os = "linux", feature = "linux"))]
mod user;
