//! The words of a command line, byte by byte.
#![no_main]

use terrarium_fuzz::{doors, examples, lay_out};

libfuzzer_sys::fuzz_target!(init: lay_out(examples::flags), |bytes: &[u8]| doors::flags(bytes));
