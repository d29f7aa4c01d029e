//! A journal that somebody has written into, byte by byte.
#![no_main]
#![allow(dead_code, reason = "each target goes through one of the doors")]

#[path = "../doors.rs"]
mod doors;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| doors::journal(bytes));
