//! terrarium: watch a container live.
//!
//! One pure state machine, [`model`], *predicts* a container's life in a simulator and *drives* the same life in real Linux
//! namespaces. A [`scenario`] replays it step by step; a [`report`] prints every transition and all that was gained or
//! given back. On a kernel the simulator runs in lockstep, and every difference between the two is reported.
//!
//! In reading order: [`model`] (the life), [`world`] (where it is led), [`engine`] (the one loop that joins them),
//! [`scenario`] (a story in YAML), [`report`] (what people see); beneath `world::linux` stand `runtime` (an OCI bundle in, a
//! process out) and [`lab`] (the program that lives in lesson containers).

extern crate alloc;

pub mod check;
pub mod cli;
#[cfg(all(target_os = "linux", feature = "linux"))]
pub mod doctor;
pub mod engine;
pub mod image;
#[cfg(all(target_os = "linux", feature = "linux"))]
pub mod keeper;
pub mod lab;
pub mod model;
#[cfg(all(target_os = "linux", feature = "linux"))]
pub mod network;
pub mod report;
#[cfg(all(target_os = "linux", feature = "linux"))]
pub mod runtime;
pub mod scenario;
pub mod world;
