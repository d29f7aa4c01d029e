//! The child's walk through the prepared operations, until it is the container's program or is no more.

use std::convert::Infallible;
use std::ffi::CString;

use nix::errno::Errno;
use nix::unistd::write;

use super::message::Message;
use super::operation::{Belongings, Operation};
use super::steps::Step;
use super::sys::{self, StringList};

/// The container's program: where it may be, and what it is given.
pub(super) struct Program {
    pub(super) candidates: Vec<CString>,
    pub(super) arguments: StringList,
    pub(super) environment: StringList,
}

/// The status with which a child leaves that never became the program: Docker's for a failure of the engine.
pub(super) const NOT_SET_UP: i32 = 125;

/// Takes all steps. Returns, with the status to leave with, if one of them fails or the keeper is gone.
///
/// It only borrows: to drop what it was given would be to call the allocator.
pub(super) fn walk(
    operations: &[Operation],
    program: &Program,
    own: &mut Belongings,
    stall: Option<Step>,
) -> i32 {
    let beyond = stall.and_then(|last| operations.iter().position(|operation| operation.step > last));
    let (taken, rest) = operations.split_at(beyond.unwrap_or(operations.len()));
    if let Err(status) = perform(taken, 0, own) {
        return status;
    }
    if !rest.is_empty() || stall.is_some_and(|last| last < Step::Park) {
        stall_for_ever();
    }
    tell(own, Message::Parked);
    if own.hear().is_err() {
        return NOT_SET_UP;
    }
    if stall.is_some_and(|last| last == Step::Park) {
        stall_for_ever();
    }
    execute(program, own)
}

/// Performs operations, of which the first has the number `first`. If one fails, the keeper is told its number.
pub(super) fn perform(operations: &[Operation], first: i32, own: &mut Belongings) -> Result<(), i32> {
    for (number, operation) in (first..).zip(operations) {
        if let Err(errno) = operation.action.perform(own) {
            tell(own, Message::Failed { operation: number, errno });
            return Err(NOT_SET_UP);
        }
    }
    Ok(())
}

/// Becomes the program. Returns, with the status to leave with, if it cannot be executed.
pub(super) fn execute(program: &Program, own: &Belongings) -> i32 {
    let Err(errno) = try_all(program);
    tell(own, Message::ExecFailed { errno });
    i32::from(super::message::exec_failure_code(errno))
}

/// Says something to the keeper. If this fails, nobody is left to hear of it.
pub(super) fn tell(own: &Belongings, message: Message) {
    // Not send(2), which a container's own filter may well forbid.
    let _ = write(&own.channel, message.encode().as_flattened());
}

/// Tries the candidates in order, as a shell does: one that may not be executed is remembered and the search goes on.
fn try_all(program: &Program) -> Result<Infallible, Errno> {
    let mut failure = Errno::ENOENT;
    for candidate in &program.candidates {
        match sys::execute(candidate, &program.arguments, &program.environment) {
            Errno::ENOENT | Errno::ENOTDIR if program.candidates.len() > 1 => {}
            Errno::EACCES => failure = Errno::EACCES,
            errno => return Err(errno),
        }
    }
    Err(failure)
}

fn stall_for_ever() -> ! {
    loop {
        nix::unistd::pause();
    }
}
