//! All lives of one container are walked through; how many states they have is pinned, so that a new one is noticed.
//!
//! The numbers change with the model: look at what has come or gone before you write others.

use terrarium::check::space::{Explored, Reach, kinds, one, several};
use terrarium::model::Freezer;

/// Of all lives in which one thing is asked at a time.
const ONE_BY_ONE: [(&str, usize); 6] = [
    ("restart: no", 2168),
    ("restart: on-failure:2", 20_965),
    ("restart: always", 32_769),
    ("restart: unless-stopped", 23_893),
    ("auto_remove: true", 1858),
    ("publish: 18081:80", 2272),
];

/// How many moves lead from one to another in all of them.
const MOVES: usize = 598_238;

/// Of those in which two things are asked at once.
const TWO_AT_ONCE: [(&str, usize); 6] = [
    ("restart: no", 1407),
    ("restart: on-failure:2", 2130),
    ("restart: always", 2172),
    ("restart: unless-stopped", 2156),
    ("auto_remove: true", 1082),
    ("publish: 18081:80", 690),
];

/// All of those.
const ALL_TWO_AT_ONCE: [(&str, usize); 6] = [
    ("restart: no", 45_436),
    ("restart: on-failure:2", 363_099),
    ("restart: always", 521_355),
    ("restart: unless-stopped", 438_821),
    ("auto_remove: true", 40_650),
    ("publish: 18081:80", 48_034),
];

/// How many, and how many moves lead from one to another.
const THREE_CONTAINERS: (usize, usize) = (9551, 60_145);
const DEPTH: usize = 8;

#[test]
fn all_lives_of_one_container_keep_every_rule() {
    let found = walk(Reach::ONE_BY_ONE);
    assert!(found.iter().all(|(_, found)| found.complete));
    assert_eq!(states(&found), ONE_BY_ONE);
    assert_eq!(found.iter().map(|(_, found)| found.edges).sum::<usize>(), MOVES);
}

/// There a SIGKILL from outside ends a frozen process at once.
#[test]
fn the_better_freezer_lets_more_happen() {
    let (_, spec) = kinds().swap_remove(0);
    let [v1, v2] =
        [Freezer::CgroupV1, Freezer::CgroupV2].map(|freezer| one(&spec, freezer, Reach::ONE_BY_ONE, None));
    assert!(v2.complete && v2.broken.is_none(), "{:?}", v2.broken);
    assert!(v2.edges > v1.edges, "{} moves, and {}", v2.edges, v1.edges);
}

#[test]
fn all_that_is_asked_two_at_once_keeps_every_rule_eight_moves_deep() {
    assert_eq!(states(&walk(Reach::two_at_once(DEPTH))), TWO_AT_ONCE);
}

#[test]
fn all_that_is_asked_two_at_once_keeps_every_rule_to_the_end() {
    if std::env::var_os("TERRARIUM_FULL_SPACE").is_none() {
        println!("skipped: ten million moves, nobody asked for it (TERRARIUM_FULL_SPACE=1)");
        return;
    }
    let found = walk(Reach::two_at_once(usize::MAX));
    assert!(found.iter().all(|(_, found)| found.complete));
    assert_eq!(states(&found), ALL_TWO_AT_ONCE);
}

#[test]
fn three_containers_are_walked_eight_moves_deep() {
    let (_, published) = kinds().pop().unwrap();
    let mut told = Vec::new();
    let found = several(&published, Freezer::CgroupV1, 3, DEPTH, |far, states| told.push((far, states)));
    assert_eq!((found.states, found.edges), THREE_CONTAINERS);
    assert_eq!(told.iter().map(|(far, _)| *far).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(told.last(), Some(&(DEPTH, found.states)));
}

fn walk(reach: Reach) -> Vec<(&'static str, Explored)> {
    let explored = |(kind, spec)| {
        let found = one(&spec, Freezer::CgroupV1, reach, None);
        if let Some((violation, path)) = &found.broken {
            panic!("{kind}: {violation}\n  {}", path.join("\n  "));
        }
        (kind, found)
    };
    kinds().into_iter().map(explored).collect()
}

fn states(found: &[(&'static str, Explored)]) -> Vec<(&'static str, usize)> {
    found.iter().map(|(kind, found)| (*kind, found.states)).collect()
}
