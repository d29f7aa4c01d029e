//! Processes that are brought into a container: commands that somebody runs inside, and probes of its health.

use std::collections::BTreeMap;
use std::time::Duration;

use super::bundle::TERMINAL_KIND;
use super::cell::Cell;
use super::timers::Due;
use super::watch::Source;
use super::{Linux, failure, terminal};
use crate::lab;
use crate::model::{Answer, ExecId, ExecSpec, Failure, Id, Observation, Within};
use crate::runtime::{Exec, ExecOptions, ExecProgress, ExitStatus, Stdio};
use crate::world::World;

/// Who a process inside is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Guest {
    /// A command that somebody runs.
    Command(ExecId),
    /// A probe of the container's health.
    Probe,
}

/// The processes inside all containers.
pub(super) type Guests = BTreeMap<(Id, Guest), Exec>;

/// Only the container's own program is waited for until it is ready.
const NOT_AWAITED: &str = "TERRARIUM_READY_FD=";
/// What `docker exec` says of a command that cannot be executed.
const CANNOT_EXECUTE: i32 = 126;
/// How long a process may take from the clone to its program.
const ARRIVAL_DEADLINE: Duration = Duration::from_secs(5);

impl Linux {
    /// Brings a process in; what becomes of it is told by its channel and then by its pidfd.
    pub(super) fn bring_in(&mut self, id: Id, guest: Guest, spec: &ExecSpec) {
        let stdio = match guest {
            Guest::Command(_) => match self.guest_stdio(id, spec) {
                Ok(stdio) => stdio,
                Err(error) => return self.guest_failed(id, guest, failure(None, &error)),
            },
            Guest::Probe => Stdio::default(),
        };
        let Some(cell) = self.cells.get(&id) else { return };
        let account = match spec.user.as_deref().map(|wanted| cell.user(wanted)).transpose() {
            Ok(account) => account,
            Err(error) => return self.guest_failed(id, guest, failure(Some(CANNOT_EXECUTE), &error)),
        };
        let terminal = spec.tty.then(|| TERMINAL_KIND.to_owned());
        // Another user's home, unless one was asked for.
        let home = account.as_ref().filter(|_| !cell.spec().env.contains_key("HOME"));
        let home = home.map(|account| format!("HOME={}", account.home));
        let not_awaited = lab::acts_out(cell.spec()).then(|| NOT_AWAITED.to_owned());
        match cell.container().exec(ExecOptions {
            args: spec.command.clone(),
            env: terminal
                .into_iter()
                .chain(home)
                .chain(spec.env.iter().map(|(name, value)| format!("{name}={value}")))
                .chain(not_awaited)
                .collect(),
            cwd: spec.workdir.as_ref().map(Into::into),
            user: account.map(|account| account.user),
            stdio,
            terminal: spec.tty,
            ..ExecOptions::default()
        }) {
            Ok(exec) => {
                if let Some(status) = exec.status_fd() {
                    self.watch.add(id, Source::Guest(guest), status);
                }
                self.guests.insert((id, guest), exec);
                let due = self.now() + ARRIVAL_DEADLINE;
                self.timers.arm(id, Due::Arrival(guest), due);
            }
            Err(error) => self.guest_failed(id, guest, failure(None, &error)),
        }
    }

    fn guest_stdio(&mut self, id: Id, spec: &ExecSpec) -> std::io::Result<Stdio> {
        if !spec.tty {
            return self.premises.guest_stdio(id, spec);
        }
        let (master, stdio) = terminal::open()?;
        self.premises.terminal(id, spec.connection, master);
        Ok(stdio)
    }

    /// Its health check: what the behaviour says of it is told by the lab program, else the test decides.
    pub(super) fn probe(&mut self, id: Id) {
        let Some(spec) = self.cells.get(&id).map(Cell::spec) else { return };
        let acted_out = lab::acts_out(spec) && !spec.behavior.health.is_empty();
        let test = spec.health.as_ref().map(|check| check.test.as_slice()).unwrap_or_default();
        let args =
            if acted_out { lab::HEALTH.map(String::from).to_vec() } else { lab::without_form(test).to_vec() };
        self.bring_in(id, Guest::Probe, &ExecSpec::of(&args));
    }

    /// A probe whose answer nobody waits for any more: dropping it ends it.
    pub(super) fn stop_probe(&mut self, id: Id) {
        self.see_out(id, Guest::Probe);
    }

    pub(super) fn hear_guest(&mut self, id: Id, guest: Guest) {
        while let Some(exec) = self.guests.get_mut(&(id, guest)) {
            match exec.progress() {
                Ok(None) => return,
                Ok(Some(ExecProgress::Joined)) => {
                    if let Some(pidfd) = exec.pidfd() {
                        self.watch.add(id, Source::GuestDeath(guest), pidfd);
                    }
                }
                Ok(Some(ExecProgress::Executed)) => return self.arrived(id, guest),
                Ok(Some(ExecProgress::ExecFailed(error))) => {
                    let failed = failure(Some(CANNOT_EXECUTE), &error);
                    return self.guest_failed(id, guest, failed);
                }
                Ok(Some(ExecProgress::Failed(error))) => {
                    let failed = failure(Some(CANNOT_EXECUTE), &error);
                    return self.guest_failed(id, guest, failed);
                }
                Ok(Some(ExecProgress::Ended)) => {
                    let message = "it died on its way into the container".into();
                    return self.guest_failed(id, guest, Failure { code: None, message });
                }
                Err(error) => {
                    let failed = failure(None, &error);
                    return self.guest_failed(id, guest, failed);
                }
            }
        }
    }

    fn arrived(&mut self, id: Id, guest: Guest) {
        self.watch.remove(id, Source::Guest(guest));
        self.timers.cancel(id, Due::Arrival(guest));
        if let Guest::Command(exec) = guest {
            self.see(id, Observation::Within(Within::ExecBegan(exec)));
        }
    }

    /// Nothing else is done to a container while somebody is on the way into it, so that must not take for ever.
    pub(super) fn turn_away(&mut self, id: Id, guest: Guest) {
        let message = format!(
            "it has not got into the container within {ARRIVAL_DEADLINE:?} (has somebody frozen it from outside?)"
        );
        self.guest_failed(id, guest, Failure { code: None, message });
    }

    pub(super) fn hear_guest_death(&mut self, id: Id, guest: Guest) {
        self.hear_guest(id, guest);
        let Some(exec) = self.guests.get_mut(&(id, guest)) else { return };
        let Ok(Some(status)) = exec.reap() else { return };
        self.see_out(id, guest);
        let code = match status {
            ExitStatus::Exited(code) => i32::from(code),
            ExitStatus::Signaled(signal) => 128 + signal,
        };
        self.see(
            id,
            Observation::Within(match guest {
                Guest::Command(exec) => Within::ExecEnded(exec, code),
                Guest::Probe if code == 0 => Within::Probed(Answer::Good),
                Guest::Probe => Within::Probed(Answer::Bad),
            }),
        );
    }

    /// All of them, because the container has ended.
    pub(super) fn see_all_out(&mut self, id: Id) {
        let guests: Vec<Guest> =
            self.guests.keys().filter(|(of, _)| *of == id).map(|(_, guest)| *guest).collect();
        for guest in guests {
            self.see_out(id, guest);
        }
    }

    fn see_out(&mut self, id: Id, guest: Guest) {
        self.watch.remove(id, Source::Guest(guest));
        self.watch.remove(id, Source::GuestDeath(guest));
        self.timers.cancel(id, Due::Arrival(guest));
        self.guests.remove(&(id, guest));
    }

    fn guest_failed(&mut self, id: Id, guest: Guest, failed: Failure) {
        self.see_out(id, guest);
        self.see(
            id,
            Observation::Within(match guest {
                Guest::Command(exec) => Within::ExecFailed(exec, failed),
                Guest::Probe => Within::Probed(Answer::Bad),
            }),
        );
    }
}
