//! The way into a running container, as two processes walk it.
//!
//! The scout joins the container's namespaces. Its own pid namespace stays what it was: only what it clones is inside. So
//! it clones the process that will become the program, as a sibling (`CLONE_PARENT`) and not as a child, which makes the
//! keeper its parent; it hands the keeper a pidfd of it, and leaves.
//!
//! Both still are copies of the keeper, with all that it has in memory. They make that memory unreadable before anybody of
//! the container can see them.

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use oci_spec::runtime::{Linux, Process};

use super::bundle::BundleError;
use super::init::{self, NOT_SET_UP, Program};
use super::message::Message;
use super::operation::{Action, Belongings, Operation};
use super::plan::{self, Draft};
use super::steps::Step;
use super::sys;
use super::{ids, isolation};

/// What the two have to do.
pub(super) struct Way {
    /// Done by the scout.
    joining: Vec<Operation>,
    /// Done by the process.
    inside: Vec<Operation>,
    program: Program,
    program_name: String,
}

impl Way {
    /// Into the container whose init is behind `init`.
    pub(super) fn of(process: &Process, linux: &Linux, init: OwnedFd) -> Result<Self, BundleError> {
        let mut joining = Draft::default();
        joining.add(Step::DeathSignal, "itself", Action::DieWithParent);
        joining.add(Step::AwaitKeeper, "its keeper", Action::AwaitKeeper);
        joining.add(Step::JoinNamespaces, "its memory", Action::HideMemory);
        // One call for all of them: an init that ends meanwhile cannot be mistaken for another process.
        let all = Action::Join { namespace: init, kind: isolation::kinds(linux) };
        joining.add(Step::JoinNamespaces, "those of the container", all);
        joining.add(Step::Descriptors, "its descriptors", Action::PlaceDescriptors);
        joining.add(Step::ResetSignals, "itself", Action::ResetSignals);

        let mut inside = Draft::default();
        inside.add(Step::DeathSignal, "itself", Action::DieWithParent);
        // Nothing runs that the keeper does not know of, and it may have died before the death signal was set.
        inside.add(Step::AwaitKeeper, "its keeper", Action::AwaitKeeper);
        inside.add(Step::Session, "itself", Action::BeginSession);
        if process.terminal() == Some(true) {
            inside.add(Step::Session, "its terminal", Action::TakeTerminal);
        }
        let directory = process.cwd();
        let change = Action::ChangeDirectory(plan::c_path(directory)?);
        inside.add(Step::WorkingDirectory, directory.display().to_string(), change);
        ids::change(&mut inside, process, linux)?;
        inside.add(Step::DeathSignalAgain, "itself", Action::DieWithParent);
        inside.filter_calls(linux)?;

        let (program, program_name) = plan::program(process)?;
        Ok(Self { joining: joining.operations(), inside: inside.operations(), program, program_name })
    }

    /// The scout's walk; returns with the status to leave with.
    pub(super) fn walk(&self, own: &mut Belongings) -> i32 {
        if let Err(status) = init::perform(&self.joining, 0, own) {
            return status;
        }
        let clone = i32::try_from(self.joining.len()).unwrap_or(i32::MAX);
        let process = || self.walk_inside(clone + 1, own);
        match sys::clone_child(sys::CLONE_PARENT, None, process) {
            Ok((pid, pidfd)) => {
                let message = Message::Joined { pid: pid.as_raw() }.encode();
                match sys::send_with_descriptor(own.channel.as_fd(), message.as_flattened(), pidfd.as_fd()) {
                    Ok(()) => 0,
                    Err(_) => NOT_SET_UP,
                }
            }
            Err(errno) => {
                // "No memory" is what the kernel says of a pid namespace whose init has ended.
                let errno = if errno == Errno::ENOMEM { Errno::ESRCH } else { errno };
                init::tell(own, Message::Failed { operation: clone, errno });
                NOT_SET_UP
            }
        }
    }

    fn walk_inside(&self, first: i32, own: &mut Belongings) -> i32 {
        match init::perform(&self.inside, first, own) {
            Ok(()) => init::execute(&self.program, own),
            Err(status) => status,
        }
    }

    /// What the operations are called, by the numbers that failures have, and the program.
    pub(super) fn names(self) -> (Vec<(Step, String)>, String) {
        let name = |operation: Operation| (operation.step, operation.subject);
        let clone = (Step::JoinNamespaces, "a process inside".to_owned());
        let names =
            self.joining.into_iter().map(name).chain([clone]).chain(self.inside.into_iter().map(name));
        (names.collect(), self.program_name)
    }
}
