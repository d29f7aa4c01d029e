//! Which system calls a container may make: a configuration's rules, turned into a filter before the clone.
//!
//! The filter is the last thing that a container gets before its program, so it only has to let through what the program
//! does. It is taken over by every process that follows, and nobody can take it off again.

mod calls;
mod file;
mod profile;
mod program;

use oci_spec::runtime::{
    LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompFilterFlag, LinuxSeccompOperator,
};

use super::bundle::BundleError;
use calls::{Machine, NATIVE};
use program::{Comparison, Condition, Rule, Stretch, Verdict, assemble};

pub use file::{ProfileError, seccomp_from_json};
pub use profile::default_seccomp;

/// A filter, ready for the kernel.
#[derive(Clone)]
pub(super) struct Filter {
    pub(super) program: Vec<libc::sock_filter>,
    pub(super) flags: libc::c_ulong,
}

/// A filter that has no instruction for it cannot be loaded: the kernel takes so many.
const MOST_INSTRUCTIONS: usize = 4096;
/// What a call is told that this version has not heard of: then a C library takes an older one instead.
const NOT_THERE: Verdict = ERRNO | libc::ENOSYS.unsigned_abs();
const ERRNO: Verdict = libc::SECCOMP_RET_ERRNO;
/// x86-64 has a second set of numbers, for programs with short pointers; hardly a kernel has it.
const X32: u32 = 0x4000_0000;

impl Filter {
    /// The filter that a configuration asks for.
    pub(super) fn of(seccomp: &LinuxSeccomp) -> Result<Self, BundleError> {
        let unsupported = |what: &str| BundleError::Unsupported(what.to_owned());
        let machine = NATIVE.ok_or_else(|| unsupported("a seccomp filter on this machine"))?;
        if seccomp.listener_path().is_some() {
            return Err(unsupported("a seccomp filter with a listener"));
        }
        let program = assemble(machine, &stretches(machine, seccomp)?);
        if program.len() > MOST_INSTRUCTIONS {
            return Err(unsupported("a seccomp filter with more rules than the kernel takes"));
        }
        Ok(Self { program, flags: flags(seccomp) })
    }
}

/// The rules, call by call, and then calls with the same verdict joined to stretches.
fn stretches(machine: Machine, seccomp: &LinuxSeccomp) -> Result<Vec<Stretch>, BundleError> {
    let default = verdict(seccomp.default_action(), seccomp.default_errno_ret())?;
    let last = machine.last();
    let undecided =
        |first| Call { stretch: Stretch { first, rules: Vec::new(), otherwise: default }, decided: false };
    let mut calls: Vec<Call> = (0..=last).map(undecided).collect();
    for rule in seccomp.syscalls().iter().flatten() {
        let verdict = verdict(rule.action(), rule.errno_ret())?;
        let arguments = rule.args().as_deref().unwrap_or_default();
        let conditions = arguments.iter().map(condition).collect::<Result<Vec<_>, _>>()?;
        for number in rule.names().iter().filter_map(|name| machine.number(name)) {
            let Some(call) = calls.get_mut(number as usize).filter(|call| !call.decided) else { continue };
            if conditions.is_empty() {
                call.stretch.otherwise = verdict;
                call.decided = true;
            } else {
                call.stretch.rules.push(Rule { conditions: conditions.clone(), verdict });
            }
        }
    }
    let unknown = if default & ERRNO_MASK == ERRNO { NOT_THERE } else { default };
    let beyond = [(last + 1, unknown), (X32, NOT_THERE)];
    let beyond = beyond.map(|(first, otherwise)| Stretch { first, rules: Vec::new(), otherwise });
    Ok(joined(calls.into_iter().map(|call| call.stretch).chain(beyond)))
}

/// A call whose verdict is being looked for: a rule without conditions decides, whatever comes after it.
struct Call {
    stretch: Stretch,
    decided: bool,
}

const ERRNO_MASK: Verdict = 0xffff_0000;

fn joined(calls: impl Iterator<Item = Stretch>) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for call in calls {
        let same = |last: &Stretch| last.rules == call.rules && last.otherwise == call.otherwise;
        if !stretches.last().is_some_and(same) {
            stretches.push(call);
        }
    }
    stretches
}

fn verdict(action: LinuxSeccompAction, errno: Option<u32>) -> Result<Verdict, BundleError> {
    if action == LinuxSeccompAction::ScmpActNotify {
        return Err(BundleError::Unsupported("a seccomp filter with a listener".to_owned()));
    }
    // The kernel takes sixteen bits of it.
    Ok(action.as_u32(errno.map(|errno| errno & 0xffff)))
}

fn condition(argument: &LinuxSeccompArg) -> Result<Condition, BundleError> {
    let unsupported =
        || BundleError::Unsupported("a seccomp rule on an argument beyond the sixth".to_owned());
    let index = u8::try_from(argument.index()).ok().filter(|index| *index < 6).ok_or_else(unsupported)?;
    let value = argument.value();
    let comparison = match argument.op() {
        LinuxSeccompOperator::ScmpCmpEq => Comparison::Equal(value),
        LinuxSeccompOperator::ScmpCmpNe => Comparison::NotEqual(value),
        LinuxSeccompOperator::ScmpCmpLt => Comparison::Less(value),
        LinuxSeccompOperator::ScmpCmpLe => Comparison::LessOrEqual(value),
        LinuxSeccompOperator::ScmpCmpGt => Comparison::Greater(value),
        LinuxSeccompOperator::ScmpCmpGe => Comparison::GreaterOrEqual(value),
        LinuxSeccompOperator::ScmpCmpMaskedEq => {
            Comparison::Masked { mask: value, bits: argument.value_two().unwrap_or(0) }
        }
    };
    Ok(Condition { argument: index, comparison })
}

/// Unless it is said otherwise, a filter does not switch speculation off: that costs much, and a kernel guards itself.
fn flags(seccomp: &LinuxSeccomp) -> libc::c_ulong {
    let Some(asked) = seccomp.flags() else { return libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW };
    let flag = |flag: &LinuxSeccompFilterFlag| match flag {
        LinuxSeccompFilterFlag::SeccompFilterFlagLog => libc::SECCOMP_FILTER_FLAG_LOG,
        LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
        // There is one thread.
        _ => 0,
    };
    asked.iter().map(flag).fold(0, |all, flag| all | flag)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOW: Verdict = libc::SECCOMP_RET_ALLOW;
    const DENY: Verdict = ERRNO | libc::EPERM.unsigned_abs();

    fn filter(json: &str) -> Vec<Stretch> {
        stretches(Machine::X86_64, &serde_json::from_str(json).unwrap()).unwrap()
    }

    fn verdict_of(stretches: &[Stretch], number: u32) -> Verdict {
        stretches.iter().rev().find(|stretch| stretch.first <= number).unwrap().otherwise
    }

    #[test]
    fn the_first_rule_for_a_call_decides() {
        let rules = filter(
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
                {"names": ["mkdir", "no_such_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13},
                {"names": ["mkdir"], "action": "SCMP_ACT_ALLOW"}]}"#,
        );
        assert_eq!(verdict_of(&rules, 83), ERRNO | libc::EACCES.unsigned_abs());
        assert_eq!(verdict_of(&rules, 84), ALLOW);
    }

    #[test]
    fn calls_that_nobody_has_heard_of_are_not_there_and_the_other_set_of_numbers_neither() {
        let closed = filter(r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": []}"#);
        assert_eq!(verdict_of(&closed, 0), DENY);
        assert_eq!(verdict_of(&closed, Machine::X86_64.last() + 1), NOT_THERE);
        let open = filter(r#"{"defaultAction": "SCMP_ACT_ALLOW"}"#);
        assert_eq!(verdict_of(&open, 10_000), ALLOW);
        assert_eq!(verdict_of(&open, X32 + 39), NOT_THERE);
    }

    #[test]
    fn the_default_filter_is_short() {
        let filter = Filter::of(&default_seccomp(&[])).unwrap();
        assert!(filter.program.len() < 300, "{}", filter.program.len());
    }

    #[test]
    fn what_a_filter_cannot_do_is_refused() {
        for wrong in [
            r#"{"defaultAction": "SCMP_ACT_NOTIFY"}"#,
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/run/listener"}"#,
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO",
                "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]}]}"#,
        ] {
            assert!(Filter::of(&serde_json::from_str(wrong).unwrap()).is_err(), "{wrong}");
        }
    }
}
