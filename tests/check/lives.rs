//! Lives at random break no rule, are the same each time, and can be read back as files.

use terrarium::check::lives::{Venue, life, lived};
use terrarium::scenario::parse;

/// Here a few; `terrarium check` takes thousands.
const LIVES: u64 = 3000;

#[test]
fn no_life_breaks_a_rule() {
    for number in 0..LIVES {
        let lived = lived(1, number, Venue::Simulator, None, None);
        let broken: Vec<String> = lived.broken.iter().map(ToString::to_string).collect();
        assert!(broken.is_empty(), "{broken:#?}\n{}", lived.scenario.to_yaml());
    }
}

#[test]
fn the_same_number_is_the_same_life() {
    for venue in [Venue::Simulator, Venue::Kernel, Venue::Docker] {
        assert_eq!(life(7, 3, venue), life(7, 3, venue));
        assert_ne!(life(7, 3, venue).steps, life(8, 3, venue).steps);
    }
}

#[test]
fn every_life_is_a_file_that_reads_back() {
    for (number, venue) in (0..150).zip([Venue::Simulator, Venue::Kernel, Venue::Docker].into_iter().cycle())
    {
        let life = life(2, number, venue);
        let yaml = life.to_yaml();
        let read = parse("life", &yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
        assert_eq!(read.to_yaml(), yaml);
    }
}
