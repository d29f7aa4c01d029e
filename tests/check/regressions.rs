//! Lives that once went wrong, as files that people can read: each comes true, and breaks no rule.

use std::fs;
use std::path::{Path, PathBuf};

use terrarium::check::watched::Watched;
use terrarium::model::HostFacts;
use terrarium::scenario::load;
use terrarium::scenario::replay::Stage;

fn regressions() -> Vec<PathBuf> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/regressions");
    let mut files: Vec<_> = fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn what_once_went_wrong_comes_true_and_breaks_no_rule() {
    let files = regressions();
    assert!(!files.is_empty());
    for file in files {
        let scenario = load(&file).unwrap_or_else(|error| panic!("{error}"));
        let mut stage = Stage::exact(Watched::new(HostFacts::ASSUMED, None, None), &scenario);
        for (index, step) in (1..).zip(&scenario.steps) {
            for part in stage.play(index, step).unwrap() {
                let unmet = part.unmet.unwrap_or_default();
                assert!(unmet.is_empty(), "{}: step {index}: {unmet:#?}", file.display());
            }
        }
        let broken = stage.engine().broken();
        assert!(broken.is_empty(), "{}: {broken:#?}", file.display());
    }
}
