//! The configuration of a bundle, byte by byte.
#![no_main]

use terrarium_fuzz::{doors, examples, lay_out};

libfuzzer_sys::fuzz_target!(init: lay_out(examples::bundles), |bytes: &[u8]| doors::bundle(bytes));
