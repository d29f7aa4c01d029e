//! All lives of one container are walked through, so many moves deep; how many states they have is pinned, so that a new
//! one is noticed.

use terrarium::check::space::{kinds, one, several};
use terrarium::model::Freezer;

/// Changes with the model: look at what has come or gone before you write another number.
const STATES: [(&str, usize); 6] = [
    ("restart: no", 1869),
    ("restart: on-failure:2", 2759),
    ("restart: always", 2840),
    ("restart: unless-stopped", 2832),
    ("auto_remove: true", 1278),
    ("publish: 18081:80", 929),
];

const THREE_CONTAINERS: usize = 10_692;
const DEPTH: usize = 8;

#[test]
fn all_lives_of_one_container_keep_every_rule_eight_moves_deep() {
    let mut states = Vec::new();
    for (kind, spec) in kinds() {
        let found = one(&spec, Freezer::CgroupV1, DEPTH, None);
        if let Some((violation, path)) = found.broken {
            panic!("{kind}: {violation}\n  {}", path.join("\n  "));
        }
        states.push((kind, found.states));
    }
    assert_eq!(states, STATES);
}

#[test]
fn three_containers_are_walked_eight_moves_deep() {
    let (_, published) = kinds().pop().unwrap();
    let found = several(&published, Freezer::CgroupV1, 3, DEPTH, |_, _| {});
    assert_eq!(found.states, THREE_CONTAINERS);
}
