//! How many states of all lives are seen in a second, and how many lives at random are lived in one.

#![expect(clippy::print_stdout, reason = "what was measured is shown")]

use std::time::Instant;

use terrarium::check::lives::{Venue, lived};
use terrarium::check::space::{Reach, kinds, one, several};
use terrarium::model::Freezer;

const LIVES: u32 = 20_000;
/// How many states of three containers have to be seen in a second, on one core.
const AT_LEAST: f64 = 300_000.0;

fn main() {
    for (kind, spec) in kinds() {
        let began = Instant::now();
        let found = one(&spec, Freezer::CgroupV1, Reach::ONE_BY_ONE, None);
        let took = began.elapsed().as_secs_f64();
        println!("one container, {kind}: {} states, {} edges in {took:.2} s", found.states, found.edges);
        if let Some((violation, path)) = found.broken {
            println!("  broken: {violation}\n    {}", path.join("\n    "));
        }
    }
    let (_, published) = kinds().pop().expect("there are kinds");
    let began = Instant::now();
    let found = several(&published, Freezer::CgroupV1, 3, 8, |_, _| {});
    let took = began.elapsed().as_secs_f64();
    let rate = f64::from(u32::try_from(found.states).unwrap_or(u32::MAX)) / took;
    println!(
        "three containers, 8 deep: {} states, {} edges in {took:.2} s ({rate:.0} states a second)",
        found.states, found.edges
    );

    let began = Instant::now();
    let is_broken =
        |number: &u32| !lived(1, u64::from(*number), Venue::Simulator, None, None).broken.is_empty();
    let broken = (0..LIVES).filter(is_broken).count();
    let took = began.elapsed().as_secs_f64();
    println!(
        "{LIVES} lives at random in {took:.2} s ({:.0} a second), {broken} broken",
        f64::from(LIVES) / took
    );
    if cfg!(debug_assertions) {
        return println!("not judged: this is not a release build");
    }
    assert!(rate >= AT_LEAST, "{rate:.0} states a second, and at least {AT_LEAST:.0} are wanted");
}
