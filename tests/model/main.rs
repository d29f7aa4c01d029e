//! The rules of a life, on the simulator's exact clock; and what holds in every life, at random.
#![allow(clippy::unwrap_used, reason = "clippy knows test functions, but not the stage that they stand on")]

mod at_random;
mod by_hand;
mod hand;
mod keeper;
mod life;
mod names;
mod probes;
mod reboot;
mod restart;
mod stage;
mod stop;
