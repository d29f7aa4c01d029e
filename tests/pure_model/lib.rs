//! The model, compiled without the standard library: a clock, a file, a thread or a `HashMap` in it does not build.
#![no_std]

extern crate alloc;

#[path = "../../src/model/mod.rs"]
pub mod model;
