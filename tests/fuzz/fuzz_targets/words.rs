//! What comes to the socket of a keeper, byte by byte.
#![no_main]

use terrarium_fuzz::{doors, examples, lay_out};

libfuzzer_sys::fuzz_target!(init: lay_out(examples::words), |bytes: &[u8]| doors::words(bytes));
