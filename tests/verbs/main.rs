//! The verbs that read: what they print of lives that were led in the simulator and written into real journals.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "clippy knows test functions, but not the stage that they stand on"
)]
#![cfg(all(target_os = "linux", feature = "linux"))]

mod docker_fields;
mod history;
mod kernel;
mod lists;
mod record;
mod stage;
