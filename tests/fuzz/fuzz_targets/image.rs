//! The documents of an image of anybody, byte by byte.
#![no_main]

use terrarium_fuzz::{doors, examples, lay_out};

libfuzzer_sys::fuzz_target!(init: lay_out(examples::images), |bytes: &[u8]| doors::image(bytes));
