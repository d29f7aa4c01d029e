//! A journal that somebody has written into, byte by byte.
#![no_main]

use terrarium_fuzz::{doors, examples, lay_out};

libfuzzer_sys::fuzz_target!(init: lay_out(examples::journals), |bytes: &[u8]| doors::journal(bytes));
