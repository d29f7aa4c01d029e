//! Images in one file, byte by byte.
#![no_main]

use terrarium_fuzz::{doors, examples, lay_out};

libfuzzer_sys::fuzz_target!(init: lay_out(examples::archives), |bytes: &[u8]| doors::archive(bytes));
