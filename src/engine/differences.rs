//! Where Docker lives otherwise than the model foresees, on purpose or by a race of its own, and a kernel for want of time: the
//! one list that all refer to.

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it is called where it explains something.
    pub name: &'static str,
    /// What is different.
    pub sentence: &'static str,
    /// Where it is known from.
    pub source: &'static str,
}

/// With `stop -t 0` of a paused container.
const THAW_ORDER: Difference = Difference {
    name: "thaw-order",
    sentence: "When a paused container is stopped without grace, its unpause and its SIGKILL come in either order.",
    source: "measured on Docker Engine 20.10",
};

/// Of an exec session whose process ends as soon as it can run again.
const GUEST_AT_THE_THAW: Difference = Difference {
    name: "guest-at-the-thaw",
    sentence: "When an unpause lets a command inside end whose time had come, Docker tells of its end before or after the unpause.",
    source: "measured on Docker Engine 20.10: both orders seen",
};

/// Of lives at random, six of which are lived at a time.
pub const BESIDE_OTHERS: Difference = Difference {
    name: "beside-others",
    sentence: "Beside other lives Docker can need so long for a start or a stop that the next command overtakes it; a life that \
               went otherwise is lived once more by itself, and that decides.",
    source: "measured on Docker Engine 20.10: one of 200 lives on two busy cores",
};

/// Of lives at random on a kernel that has other things to do.
pub const ON_A_BUSY_HOST: Difference = Difference {
    name: "on-a-busy-host",
    sentence: "A host that is busy with other things can be late with a step by more than a third of a second; a life that was late \
               and nothing else is lived once more, and that decides.",
    source: "measured on Linux 6.18: 5 of 4404 lives on two cores, all of them while an optimising compiler used both",
};

/// All of them. Where one is about what is not compared at all, nothing of it is ever reported.
pub const DIFFERENCES: [Difference; 16] = [
    Difference {
        name: "created-is-empty",
        sentence: "A created container of Docker's holds no process; ours holds a parked one, as in the OCI runtime specification.",
        source: "OCI runtime-spec, runtime.md: created; moby daemon/start.go",
    },
    Difference {
        name: "stopping-is-running",
        sentence: "Docker has no state for a stop under way, which here is `stopping`, nor for a creation, which here is `creating`.",
        source: "moby daemon/container/state.go",
    },
    Difference {
        name: "pause-in-a-stop",
        sentence: "A pause during a stop is told as an event, but the state stays `stopping`, for the deadline stands; the SIGKILL \
                   then thaws it and nobody is told, so that until its death it is refused what a paused one is, as by Docker.",
        source: "measured on Docker Engine 20.10 with a process that hangs",
    },
    THAW_ORDER,
    GUEST_AT_THE_THAW,
    BESIDE_OTHERS,
    ON_A_BUSY_HOST,
    Difference {
        name: "kill-on-the-heels",
        sentence: "With `stop -t 0` Docker needs some 15 ms from the signal to the SIGKILL, in which a handler may win; in the \
                   simulator one wins that ends its process at once, on a kernel hardly ever.",
        source: "measured on Docker Engine 20.10: exit code 0 and 137 both seen",
    },
    Difference {
        name: "starts-take-time",
        sentence: "Each start and stop costs Docker a third of a second that the model does not count.",
        source: "measured on Docker Engine 20.10: start 257 ms, stop of a process that leaves at once 105 ms",
    },
    Difference {
        name: "start-when-ready",
        sentence: "A start is answered when the lab program is ready, not when it was executed.",
        source: "terrarium: src/lab/act/ready.rs",
    },
    Difference {
        name: "whole-seconds",
        sentence: "Docker counts grace periods in whole seconds: a part of one is a whole one.",
        source: "moby daemon/stop.go",
    },
    Difference {
        name: "probes-are-silent",
        sentence: "Docker tells of each health probe as of any other command inside; here these events would drown the story \
                   and are left out.",
        source: "measured on Docker Engine 20.10",
    },
    Difference {
        name: "removal-does-not-wait",
        sentence: "What Docker makes wait until a removal has ended (restart, copies, diff) is refused at once, and a rename then \
                   gives no event.",
        source: "measured on Docker Engine 20.10",
    },
    Difference {
        name: "freezer",
        sentence: "Docker may freeze with cgroup v1, where a SIGKILL from outside waits for the thaw; here v2 is taken where it \
                   can be, and there it acts at once. The first lines of a replay name the one in use.",
        source: "measured on Docker Engine 20.10 with cgroup v1; kernel, Documentation/admin-guide/cgroup-v2.rst: cgroup.freeze",
    },
    Difference {
        name: "relayed-address",
        sentence: "A server in a container sees its own address as that of a client from the host, whom the relay connects.",
        source: "terrarium: src/network/relay.rs",
    },
    Difference {
        name: "no-device-nodes",
        sentence: "Device nodes in images are left out: a container gets its devices from the runtime.",
        source: "terrarium: src/image/layer/unpack.rs",
    },
];

/// How many events of each story agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    /// Of the predicted ones.
    pub predicted: usize,
    /// Of the measured ones.
    pub measured: usize,
}

/// How far two stories of one container agree, and by which difference, if not word for word.
pub fn agree(predicted: &[String], measured: &[String]) -> (Agreed, Option<&'static Difference>) {
    let mut agreed = 0;
    let mut by = None;
    loop {
        let (ahead, beside) = (&predicted[agreed..], &measured[agreed..]);
        agreed += ahead.iter().zip(beside).take_while(|(one, other)| one == other).count();
        match (&predicted[agreed..], &measured[agreed..]) {
            ([one, other, ..], [first, second, ..])
                if one == second && other == first && at_a_thaw(one, other).is_some() =>
            {
                by = at_a_thaw(one, other);
                agreed += 2;
            }
            _ => return (Agreed { predicted: agreed, measured: agreed }, by),
        }
    }
}

/// By which difference two neighbours may change places.
fn at_a_thaw(one: &str, other: &str) -> Option<&'static Difference> {
    match (one, other) {
        ("unpause", beside) | (beside, "unpause") if beside == "kill SIGKILL" => Some(&THAW_ORDER),
        ("unpause", beside) | (beside, "unpause") if beside.starts_with("exec_die") => {
            Some(&GUEST_AT_THE_THAW)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story(words: &str) -> Vec<String> {
        words.split(", ").map(Into::into).collect()
    }

    #[test]
    fn what_is_told_alike_agrees_as_far_as_both_have_told_it() {
        let (agreed, by) = agree(&story("start, die 0"), &story("start"));
        assert_eq!((agreed, by), (Agreed { predicted: 1, measured: 1 }, None));
        assert_eq!(agree(&story("start"), &story("pause")).0, Agreed::default());
    }

    #[test]
    fn a_name_is_given_once() {
        for (nth, difference) in DIFFERENCES.iter().enumerate() {
            assert!(
                DIFFERENCES[nth + 1..].iter().all(|other| other.name != difference.name),
                "{difference:?}"
            );
            assert!(difference.sentence.ends_with('.'), "{difference:?}");
        }
    }

    #[test]
    fn a_thaw_and_a_sigkill_may_change_places_and_nothing_else() {
        let predicted = story("kill SIGTERM, unpause, kill SIGKILL, die 137");
        let (agreed, by) = agree(&predicted, &story("kill SIGTERM, kill SIGKILL, unpause, die 137"));
        assert_eq!((agreed.measured, by.map(|difference| difference.name)), (4, Some("thaw-order")));
        assert_eq!(agree(&predicted, &story("unpause, kill SIGTERM")).0, Agreed::default());
    }

    #[test]
    fn a_guest_whose_time_has_come_may_end_on_either_side_of_the_thaw() {
        let predicted = story("pause, unpause, exec_die 0");
        let (agreed, by) = agree(&predicted, &story("pause, exec_die 0, unpause"));
        assert_eq!((agreed.measured, by.map(|difference| difference.name)), (3, Some("guest-at-the-thaw")));
    }
}
