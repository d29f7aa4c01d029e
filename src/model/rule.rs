//! Every rule of the model by name: one sentence each, and where it is known from.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Writes the table below as an enum, so that a rule cannot be used without its sentence and source.
macro_rules! rules {
    ($($rule:ident $id:literal: $sentence:literal, from $source:literal;)+) => {
        /// Why a container changed its state.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $(#[doc = $sentence] $rule,)+
        }

        impl Rule {
            /// All of them, in the order of a life.
            pub const ALL: &[Self] = &[$(Self::$rule,)+];

            /// Its identifier, `theme.name`.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$rule => $id,)+ }
            }

            /// What it says.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$rule => $sentence,)+ }
            }

            /// Where it is known from.
            pub const fn source(self) -> &'static str {
                match self { $(Self::$rule => $source,)+ }
            }
        }
    };
}

rules! {
    CreateClaim "create.claim": "A container begins with its name: one owner at a time.",
        from "measured on Docker Engine 20.10: create of a used name is refused with 409";
    CreateParked "create.parked": "Create makes everything and parks one process before its first instruction: memory, but no CPU.",
        from "OCI runtime-spec, runtime.md, operation create";
    CreateFailed "create.failed": "A create that fails leaves nothing behind.",
        from "OCI runtime-spec, runtime.md, section Errors";
    StartExec "start.exec": "Start lets the parked process execute its program.",
        from "OCI runtime-spec, runtime.md, operation start";
    StartFailed "start.failed": "A start that fails leaves the container as it was, with the error and its exit code: 126, 127 or 128.",
        from "measured on Docker Engine 20.10; moby daemon/start.go, daemon/errors.go";
    PauseFreeze "pause.freeze": "Pause freezes every process where it stands; they keep memory and ports and use no CPU.",
        from "measured on Docker Engine 20.10: CPU delta 0.0 while paused; kernel cgroup-v2.rst, cgroup.freeze";
    PauseFailed "pause.failed": "What cannot be frozen goes on running.",
        from "moby daemon/pause.go";
    UnpauseThaw "unpause.thaw": "Unpause lets every process go on from where it stood.",
        from "measured on Docker Engine 20.10";
    UnpauseFailed "unpause.failed": "What cannot be thawed stays paused.",
        from "moby daemon/unpause.go";
    KillThaws "kill.thaws": "A signal sent to a paused container thaws it, unless a stop signal is configured and this is another one.",
        from "measured on Docker Engine 20.10; moby daemon/kill.go killWithSignal";
    StopGrace "stop.grace": "Stop sends the stop signal and gives the process a grace period, 10 s by default.",
        from "measured on Docker Engine 20.10; moby daemon/stop.go, daemon/config/config_linux.go defaultStopTimeout";
    StopPaused "stop.paused": "Stop of a paused container sends the signal first and thaws it then.",
        from "measured on Docker Engine 20.10: kill, unpause 2 to 18 ms later";
    StopEnded "stop.ended": "A process that was asked to stop and has ended stays ended, whatever the restart policy says.",
        from "measured on Docker Engine 20.10; moby daemon/internal/restartmanager";
    StopBackOff "stop.back-off": "Stop, and a kill with any signal, end a container's back-off; its last exit code stays.",
        from "measured on Docker Engine 20.10: stop gives only a stop event, kill gives none";
    KillUnanswered "kill.unanswered": "A process that outlives two SIGKILLs hangs in the kernel: the request fails after 12 s, the container goes on.",
        from "moby daemon/kill.go: 10 s, then 2 s";
    ExitCode "exit.code": "When the process has ended, its exit code is kept: its own, or 128 + n for signal n.",
        from "measured on Docker Engine 20.10";
    RestartPolicy "restart.policy": "The restart policy decides after every death that nobody asked for: no, on-failure, always, unless-stopped.",
        from "moby daemon/internal/restartmanager/restartmanager.go ShouldRestart";
    RestartBackOff "restart.back-off": "Between a death and the next start lies a wait of 100 ms that doubles up to 60 s; a run of 10 s resets it.",
        from "measured on Docker Engine 20.10; moby restartmanager.go backoffMultiplier, defaultTimeout, maxRestartTimeout";
    RestartByHand "restart.by-hand": "Restart is stop and start in one request, with the same grace period.",
        from "measured on Docker Engine 20.10: kill die stop start restart";
    KeeperLost "keeper.lost": "A container dies with its keeper, unseen: it counts as killed, 137, and its restart policy decides.",
        from "terrarium: src/keeper; the kernel's parent-death signal, prctl(2) PR_SET_PDEATHSIG";
    HostDown "host.down": "When the host goes down every process dies unseen; when it is up again the restart policies decide: always starts, unless-stopped does if nobody had ended it, on-failure if its code is not 0.",
        from "measured on Docker Engine 20.10; moby daemon/daemon.go";
    RemoveBegin "remove.begin": "Remove takes a container apart that has no process; by force, it is killed first.",
        from "measured on Docker Engine 20.10; moby daemon/delete.go";
    RemoveAuto "remove.auto": "With auto-remove, a container is removed when it has ended.",
        from "measured on Docker Engine 20.10: die, then destroy";
    RemoveDone "remove.done": "After remove nothing is left: the writable layer is gone and the name is free.",
        from "measured on Docker Engine 20.10";
    RemoveFailed "remove.failed": "A removal that fails half-way leaves a dead container, which can only be removed again.",
        from "docker/cli container_ls.md; measured on Docker Engine 20.10";
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = alloc::string::String::deserialize(deserializer)?;
        let known = Self::ALL.iter().copied().find(|rule| rule.id() == id);
        known.ok_or_else(|| de::Error::unknown_variant(&id, &["the identifier of a rule"]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_reads_back_from_its_identifier() {
        for rule in Rule::ALL {
            let written = serde_json::to_string(rule).unwrap();
            assert_eq!(written, alloc::format!("\"{}\"", rule.id()));
            assert_eq!(serde_json::from_str::<Rule>(&written).unwrap(), *rule);
        }
        assert!(serde_json::from_str::<Rule>("\"no.rule\"").is_err());
    }
}
