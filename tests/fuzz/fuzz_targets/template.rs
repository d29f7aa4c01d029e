//! The template of `--format`, byte by byte.
#![no_main]

use terrarium_fuzz::{doors, examples, lay_out};

libfuzzer_sys::fuzz_target!(init: lay_out(examples::templates), |bytes: &[u8]| doors::template(bytes));
