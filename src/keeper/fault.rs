//! For tests: a keeper that is killed at a given point of its life.

use std::cell::Cell;
use std::fs::File;

thread_local! {
    static PASSED: Cell<u64> = const { Cell::new(0) };
}

/// Ends this process by SIGKILL, if `TERRARIUM_DIE_AT` says that the so-manieth point is where it ends. If `TERRARIUM_DIED` names a
/// file, one keeper dies and leaves it, and those that come after it live.
pub(super) fn point() {
    let passed = PASSED.get() + 1;
    PASSED.set(passed);
    let is_wanted = std::env::var("TERRARIUM_DIE_AT").is_ok_and(|wanted| wanted.parse() == Ok(passed));
    let is_first = || std::env::var_os("TERRARIUM_DIED").is_none_or(|mark| File::create_new(mark).is_ok());
    if is_wanted && is_first() {
        let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
    }
}
