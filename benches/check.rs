//! How fast lives at random are lived under the eyes of all rules.

#![expect(clippy::print_stdout, reason = "what was measured is shown")]

use std::time::Instant;

use terrarium::check::lives::{Venue, lived};

const LIVES: u32 = 20_000;

fn main() {
    let began = Instant::now();
    let broken = (0..LIVES)
        .filter(|number| !lived(1, u64::from(*number), Venue::Simulator, None, None).broken.is_empty());
    let broken = broken.count();
    let took = began.elapsed().as_secs_f64();
    println!(
        "{LIVES} lives in {took:.2} s ({:.0} a second), {broken} of them broken",
        f64::from(LIVES) / took
    );
}
