//! A scenario of anybody, lived in the simulator, byte by byte.
#![no_main]

use terrarium_fuzz::{doors, examples, lay_out};

libfuzzer_sys::fuzz_target!(init: lay_out(examples::scenarios), |bytes: &[u8]| doors::replay(bytes));
