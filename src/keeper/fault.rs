//! For tests: a keeper that is killed at a given point of its life.

use std::cell::Cell;

thread_local! {
    static PASSED: Cell<u64> = const { Cell::new(0) };
}

/// Ends this process by SIGKILL, if `TERRARIUM_DIE_AT` says that the so-manieth point is where it ends.
pub(super) fn point() {
    let passed = PASSED.get() + 1;
    PASSED.set(passed);
    if std::env::var("TERRARIUM_DIE_AT").is_ok_and(|wanted| wanted.parse() == Ok(passed)) {
        let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
    }
}
