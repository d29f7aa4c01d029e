//! A filter as the kernel runs it: a small program that is given the number of a call and its arguments, and says what
//! becomes of it.
//!
//! The numbers are cut into stretches with one verdict each, and the stretch of a call is found by halving: eight
//! comparisons instead of four hundred. It is the length of the way that a container's start pays for, since the kernel
//! walks it once for every call there is, to remember which are always free.

use super::calls::Machine;

/// What becomes of a call, as the kernel writes it (`SECCOMP_RET_…`).
pub(super) type Verdict = u32;

/// What becomes of calls from one number up to the next stretch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) first: u32,
    /// Tried in order; the first whose conditions all hold decides.
    pub(super) rules: Vec<Rule>,
    /// What is said when none does.
    pub(super) otherwise: Verdict,
}

/// A verdict, and what has to hold of the arguments for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) conditions: Vec<Condition>,
    pub(super) verdict: Verdict,
}

/// What has to hold of one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) argument: u8,
    pub(super) comparison: Comparison,
}

/// An argument compared, all its 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal(u64),
    NotEqual(u64),
    Less(u64),
    LessOrEqual(u64),
    Greater(u64),
    GreaterOrEqual(u64),
    /// Its bits under `mask` are `bits`.
    Masked {
        mask: u64,
        bits: u64,
    },
}

/// What ends a process that calls by the numbers of another machine, such as a program of 32 bits.
const KILL_PROCESS: Verdict = 0x8000_0000;
/// Where the kernel puts what a filter may look at.
const NUMBER: u32 = 0;
const MACHINE: u32 = 4;
const ARGUMENTS: u32 = 16;

const LOAD: u16 = code(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS);
const RETURN: u16 = code(libc::BPF_RET | libc::BPF_K);
const GO: u16 = code(libc::BPF_JMP | libc::BPF_JA);
const AND: u16 = code(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K);
const IF_EQUAL: u16 = code(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K);
const IF_MORE: u16 = code(libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K);
const IF_AT_LEAST: u16 = code(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K);

/// The C library's numbers are wider than their place in an instruction.
#[expect(clippy::cast_possible_truncation, reason = "all of them are below 256")]
const fn code(number: u32) -> u16 {
    number as u16
}

type Instruction = libc::sock_filter;

/// The program for stretches that are in order and begin with 0.
pub(super) fn assemble(machine: Machine, stretches: &[Stretch]) -> Vec<Instruction> {
    let mut program = vec![
        instruction(LOAD, MACHINE),
        jump(IF_EQUAL, machine.audit(), 1, 0),
        instruction(RETURN, KILL_PROCESS),
        instruction(LOAD, NUMBER),
    ];
    program.extend(halve(stretches));
    program
}

fn halve(stretches: &[Stretch]) -> Vec<Instruction> {
    match stretches {
        [] => Vec::new(),
        [one] => decide(one),
        _ => {
            let (below, above) = stretches.split_at(stretches.len() / 2);
            let first = above.first().map_or(0, |stretch| stretch.first);
            let below = halve(below);
            let mut program = go_if_at_least(first, below.len());
            program.extend(below);
            program.extend(halve(above));
            program
        }
    }
}

/// Over so many instructions. A conditional jump reaches 255 of them at most, an unconditional one as many as it wants.
fn go_if_at_least(number: u32, over: usize) -> Vec<Instruction> {
    if let Ok(over) = u8::try_from(over) {
        return vec![jump(IF_AT_LEAST, number, over, 0)];
    }
    let far = u32::try_from(over).unwrap_or(u32::MAX);
    vec![jump(IF_AT_LEAST, number, 0, 1), instruction(GO, far)]
}

fn decide(stretch: &Stretch) -> Vec<Instruction> {
    let rules = stretch.rules.iter().flat_map(Rule::assemble);
    rules.chain([instruction(RETURN, stretch.otherwise)]).collect()
}

impl Rule {
    /// Its last condition first, because each has to know how far it is to the end.
    fn assemble(&self) -> Vec<Instruction> {
        let mut program = vec![instruction(RETURN, self.verdict)];
        for condition in self.conditions.iter().rev() {
            let mut whole = condition.assemble(program.len());
            whole.append(&mut program);
            program = whole;
        }
        program
    }
}

/// Where a comparison leads to.
#[derive(Clone, Copy)]
enum To {
    Next,
    Holds,
    Fails,
}

impl Condition {
    /// Goes on behind itself if it holds, and over `rest` more instructions if not.
    fn assemble(self, rest: usize) -> Vec<Instruction> {
        use To::{Fails, Holds, Next};
        let low = ARGUMENTS + 8 * u32::from(self.argument);
        let high = low + 4;
        let (load_high, load_low) = ((LOAD, high, Next, Next), (LOAD, low, Next, Next));
        let steps = match self.comparison {
            Comparison::Equal(value) => vec![
                load_high,
                (IF_EQUAL, upper(value), Next, Fails),
                load_low,
                (IF_EQUAL, lower(value), Next, Fails),
            ],
            Comparison::NotEqual(value) => vec![
                load_high,
                (IF_EQUAL, upper(value), Next, Holds),
                load_low,
                (IF_EQUAL, lower(value), Fails, Next),
            ],
            Comparison::Greater(value) => {
                vec![
                    load_high,
                    (IF_MORE, upper(value), Holds, Next),
                    (IF_EQUAL, upper(value), Next, Fails),
                    load_low,
                    (IF_MORE, lower(value), Next, Fails),
                ]
            }
            Comparison::GreaterOrEqual(value) => {
                vec![
                    load_high,
                    (IF_MORE, upper(value), Holds, Next),
                    (IF_EQUAL, upper(value), Next, Fails),
                    load_low,
                    (IF_AT_LEAST, lower(value), Next, Fails),
                ]
            }
            Comparison::Less(value) => vec![
                load_high,
                (IF_MORE, upper(value), Fails, Next),
                (IF_EQUAL, upper(value), Next, Holds),
                load_low,
                (IF_AT_LEAST, lower(value), Fails, Next),
            ],
            Comparison::LessOrEqual(value) => vec![
                load_high,
                (IF_MORE, upper(value), Fails, Next),
                (IF_EQUAL, upper(value), Next, Holds),
                load_low,
                (IF_MORE, lower(value), Fails, Next),
            ],
            Comparison::Masked { mask, bits } => vec![
                load_high,
                (AND, upper(mask), Next, Next),
                (IF_EQUAL, upper(bits), Next, Fails),
                load_low,
                (AND, lower(mask), Next, Next),
                (IF_EQUAL, lower(bits), Next, Fails),
            ],
        };
        let length = steps.len();
        let place = |(at, (code, value, yes, no)): (usize, (u16, u32, To, To))| {
            let behind = length - at - 1;
            let distance = |to| match to {
                Next => 0,
                Holds => u8::try_from(behind).unwrap_or(u8::MAX),
                Fails => u8::try_from(behind + rest).unwrap_or(u8::MAX),
            };
            jump(code, value, distance(yes), distance(no))
        };
        steps.into_iter().enumerate().map(place).collect()
    }
}

fn instruction(code: u16, value: u32) -> Instruction {
    jump(code, value, 0, 0)
}

fn jump(code: u16, value: u32, yes: u8, no: u8) -> Instruction {
    Instruction { code, jt: yes, jf: no, k: value }
}

fn upper(value: u64) -> u32 {
    u32::try_from(value >> 32).unwrap_or(u32::MAX)
}

fn lower(value: u64) -> u32 {
    u32::try_from(value & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the kernel does with a program.
    fn run(program: &[Instruction], machine: u32, number: u32, arguments: [u64; 6]) -> Verdict {
        let (mut at, mut value) = (0_usize, 0_u32);
        loop {
            let Instruction { code, jt, jf, k } = program[at];
            at += 1;
            let mut branch = |holds: bool| at += usize::from(if holds { jt } else { jf });
            match code {
                LOAD => {
                    value = match k {
                        NUMBER => number,
                        MACHINE => machine,
                        offset => {
                            let argument = arguments[(offset as usize - 16) / 8];
                            if offset % 8 == 0 { lower(argument) } else { upper(argument) }
                        }
                    }
                }
                AND => value &= k,
                IF_EQUAL => branch(value == k),
                IF_MORE => branch(value > k),
                IF_AT_LEAST => branch(value >= k),
                GO => at += k as usize,
                RETURN => return k,
                other => panic!("{other:#x}"),
            }
        }
    }

    fn holds(condition: Condition, arguments: [u64; 6]) -> bool {
        let argument = arguments[usize::from(condition.argument)];
        match condition.comparison {
            Comparison::Equal(value) => argument == value,
            Comparison::NotEqual(value) => argument != value,
            Comparison::Less(value) => argument < value,
            Comparison::LessOrEqual(value) => argument <= value,
            Comparison::Greater(value) => argument > value,
            Comparison::GreaterOrEqual(value) => argument >= value,
            Comparison::Masked { mask, bits } => argument & mask == bits,
        }
    }

    fn expected(stretches: &[Stretch], number: u32, arguments: [u64; 6]) -> Verdict {
        let stretch = stretches.iter().rev().find(|stretch| stretch.first <= number).unwrap();
        let rule = stretch
            .rules
            .iter()
            .find(|rule| rule.conditions.iter().all(|condition| holds(*condition, arguments)));
        rule.map_or(stretch.otherwise, |rule| rule.verdict)
    }

    /// Few values, so that comparisons come out equal now and then, and of both halves.
    fn value() -> impl Strategy<Value = u64> {
        prop::sample::select(vec![
            0,
            1,
            2,
            0xffff_ffff,
            0x1_0000_0000,
            0x1_0000_0001,
            0x2_0000_0001,
            u64::MAX,
        ])
    }

    fn condition() -> impl Strategy<Value = Condition> {
        let comparison = prop_oneof![
            value().prop_map(Comparison::Equal),
            value().prop_map(Comparison::NotEqual),
            value().prop_map(Comparison::Less),
            value().prop_map(Comparison::LessOrEqual),
            value().prop_map(Comparison::Greater),
            value().prop_map(Comparison::GreaterOrEqual),
            (value(), value()).prop_map(|(mask, bits)| Comparison::Masked { mask, bits }),
        ];
        (0..6_u8, comparison).prop_map(|(argument, comparison)| Condition { argument, comparison })
    }

    fn stretches() -> impl Strategy<Value = Vec<Stretch>> {
        let rule = (prop::collection::vec(condition(), 1..4), 1..100_u32)
            .prop_map(|(conditions, verdict)| Rule { conditions, verdict });
        let stretch = (prop::collection::vec(rule, 0..4), 100..200_u32);
        prop::collection::btree_map(1..500_u32, stretch, 0..120).prop_map(|found| {
            let first = Stretch { first: 0, rules: Vec::new(), otherwise: 7 };
            let rest = found.into_iter();
            let rest = rest.map(|(first, (rules, otherwise))| Stretch { first, rules, otherwise });
            [first].into_iter().chain(rest).collect()
        })
    }

    proptest! {
        #[test]
        fn a_program_says_what_its_rules_say(
            stretches in stretches(),
            calls in prop::collection::vec((0..600_u32, prop::array::uniform6(value())), 50),
        ) {
            let program = assemble(Machine::X86_64, &stretches);
            for (number, arguments) in calls {
                let said = run(&program, Machine::X86_64.audit(), number, arguments);
                prop_assert_eq!(said, expected(&stretches, number, arguments));
            }
        }
    }

    #[test]
    fn another_machines_numbers_are_never_looked_up() {
        let all_free = [Stretch { first: 0, rules: Vec::new(), otherwise: 0x7fff_0000 }];
        let program = assemble(Machine::X86_64, &all_free);
        assert_eq!(run(&program, 0x4000_0003, 0, [0; 6]), KILL_PROCESS);
        assert_eq!(run(&program, Machine::X86_64.audit(), 0, [0; 6]), 0x7fff_0000);
    }
}
