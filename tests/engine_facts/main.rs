//! What was measured of a Docker Engine, fact by fact: a test's name is the fact, and its scenario an example of it.

#![expect(clippy::unwrap_used, reason = "clippy knows test functions, but not the stage that they stand on")]

mod answers;
mod back_off;
mod exec;
mod exit;
mod freezers;
mod health;
mod memory;
mod ports;
mod races;
mod reboot;
mod remove;
mod resources;
mod restart_policy;
mod rights;
mod signals;
mod stop;
mod stop_of_a_paused;
mod story;
mod wait;
