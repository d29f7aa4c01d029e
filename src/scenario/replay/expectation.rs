//! Holds what a step claims against what has happened.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Tolerance;
use super::action::Findings;
use super::stage::Stage;
use crate::engine::Engine;
use crate::engine::trace::{Happening, StepOutcome, StepTrace, What};
use crate::model::{Event, Health, Name, State};
use crate::scenario::{
    ContainerExpect, CpuExpect, EventPattern, Events, Expect, HealthState, MemoryExpect, Order, Step, Took,
};
use crate::world::Interrupted;

/// How long what is not met yet is awaited.
const PATIENCE: Duration = Duration::from_secs(1);
/// Over how long a CPU share is measured.
const CPU_WINDOW: Duration = Duration::from_millis(500);

/// What is unmet; `None` where nothing was expected and nothing went wrong.
pub(super) fn judge<E: Engine>(
    stage: &mut Stage<E>,
    step: &Step,
    parts: &[StepTrace],
    began: usize,
    findings: &Findings,
) -> Result<Option<Vec<String>>, Interrupted> {
    let refusals = judge_outcomes(step, parts);
    let Some(expect) = &step.expect else {
        let expected = step.refused.is_some() || !refusals.is_empty();
        return Ok(expected.then_some(refusals));
    };
    let mut unmet = refusals;
    unmet.extend(expect.took.and_then(|expected| judge_took(expected, parts, stage.tolerance)));
    unmet.extend(judge_findings(expect, findings));
    if let Some(wanted) = expect.output.as_ref().filter(|_| step.action.is_about_images()) {
        let shown = parts.iter().filter_map(|part| part.image.as_ref()).map(ToString::to_string);
        unmet.extend(judge_written(&shown.collect::<Vec<_>>().join("\n"), wanted));
    }
    stage.pass_until(PATIENCE, |stage| look(stage, step, expect, began).is_empty())?;
    unmet.extend(look(stage, step, expect, began));
    unmet.extend(judge_cpu(stage, expect)?);
    Ok(Some(unmet))
}

/// Refusals and failures: those that were announced have to come, others must not.
fn judge_outcomes(step: &Step, parts: &[StepTrace]) -> Vec<String> {
    let complaint = |part: &StepTrace| {
        // A claim on how an exec or a request fails says that it may.
        let may_fail =
            step.expect.as_ref().is_some_and(|expect| expect.exec_exit.is_some() || expect.error.is_some());
        let went_wrong = match part.outcome {
            StepOutcome::Refused => true,
            StepOutcome::Failed => step.refused.is_some() || !may_fail,
            StepOutcome::Done | StepOutcome::Noop => false,
        };
        let message = part.message.as_deref().unwrap_or_default();
        match &step.refused {
            None if went_wrong => Some(format!("it was not to be {}: {message}", part.outcome.word())),
            Some(text) if !went_wrong => {
                Some(format!("it was to be refused with `{text}`, and was {}", part.outcome.word()))
            }
            Some(text) if !message.contains(text.as_str()) => {
                Some(format!("it was to be refused with `{text}`, and the message is `{message}`"))
            }
            _ => None,
        }
    };
    parts.iter().filter_map(complaint).collect()
}

fn judge_took(expected: Took, parts: &[StepTrace], tolerance: Tolerance) -> Option<String> {
    let Some(took) = took_together(parts) else {
        return Some("it was to take some time, and has not ended yet".into());
    };
    let shown = |time: Duration| {
        let rounded =
            Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX) / 1000 * 1000);
        humantime::format_duration(rounded).to_string()
    };
    let happened: Vec<Happening> = parts.iter().flat_map(|part| part.happened.clone()).collect();
    match expected {
        Took::About(wanted) => (took.abs_diff(wanted) > tolerance.of_time(wanted, &happened))
            .then(|| format!("it was to take {}, and took {}", shown(wanted), shown(took))),
        Took::Between { at_least, at_most } => {
            let too_short = at_least.filter(|least| took < *least);
            let too_long = at_most.filter(|most| took > *most);
            too_short
                .map(|least| format!("it was to take at least {}, and took {}", shown(least), shown(took)))
                .or_else(|| {
                    too_long.map(|most| {
                        format!("it was to take at most {}, and took {}", shown(most), shown(took))
                    })
                })
        }
    }
}

/// From the first asking to the last answer.
fn took_together(parts: &[StepTrace]) -> Option<Duration> {
    let (first, last) = (parts.first()?, parts.last()?);
    Some((last.at + last.took?).saturating_sub(first.at))
}

/// Claims on an `exec` or a `request`.
fn judge_findings(expect: &Expect, findings: &Findings) -> Vec<String> {
    let mut unmet = Vec::new();
    let mut claim = |what: &str, wanted: Option<String>, is: Option<String>| {
        let Some(wanted) = wanted else { return };
        let is = is.unwrap_or_else(|| "none".into());
        if wanted != is {
            unmet.push(format!("the {what} was to be {wanted}, and is {is}"));
        }
    };
    claim(
        "exit code of the command",
        expect.exec_exit.map(|code| code.to_string()),
        findings.exec_exit.map(|code| code.to_string()),
    );
    let (response, error) = match &findings.response {
        Some(Ok(response)) => (Some(response), None),
        Some(Err(error)) => (None, Some(error.to_string())),
        None => (None, None),
    };
    claim(
        "HTTP status",
        expect.status.map(|status| status.to_string()),
        response.map(|response| response.status.to_string()),
    );
    claim("error of the request", expect.error.map(|error| error.to_string()), error);
    if let Some(wanted) = &expect.body {
        let body = response.map(|response| response.body.as_str()).unwrap_or_default();
        if !body.contains(wanted.as_str()) {
            unmet.push(format!("the body was to contain `{wanted}`, and is `{}`", body.trim_end()));
        }
    }
    unmet
}

/// What is not so at this moment, of all that can be seen at a moment.
fn look<E: Engine>(stage: &mut Stage<E>, step: &Step, expect: &Expect, began: usize) -> Vec<String> {
    let mut unmet = Vec::new();
    unmet.extend(expect.events.as_ref().and_then(|expected| judge_events(expected, stage.since(began))));
    if let Some(wanted) = expect.output.as_ref().filter(|_| !step.action.is_about_images()) {
        unmet.extend(judge_output(stage, step, wanted));
    }
    for (name, claims) in &expect.containers {
        judge_status(stage, name, claims, &mut unmet);
        judge_resources(stage, name, claims, &mut unmet);
    }
    unmet
}

fn judge_events(expected: &Events, happened: &[Happening]) -> Option<String> {
    let seen: Vec<&Event> = happened
        .iter()
        .filter_map(|happening| match &happening.what {
            What::Emitted(event) => Some(event),
            What::Moved(_) => None,
        })
        .collect();
    let as_expected = expected.list.len() == seen.len()
        && match expected.order {
            Order::Exact => expected.list.iter().zip(&seen).all(|(pattern, event)| fits(pattern, event)),
            Order::Any => fit_in_some_order(&expected.list, &seen),
        };
    let spoken = |words: Vec<String>| if words.is_empty() { "none".into() } else { words.join(", ") };
    (!as_expected).then(|| {
        let wanted = spoken(expected.list.iter().map(ToString::to_string).collect());
        let seen = spoken(seen.iter().map(ToString::to_string).collect());
        format!("the events were to be: {wanted}; and were: {seen}")
    })
}

fn fits(pattern: &EventPattern, event: &Event) -> bool {
    pattern.container == event.container
        && pattern.action == event.kind.action()
        && (pattern.detail.is_none() || pattern.detail == event.kind.detail())
}

/// Patterns with a detail choose first, so that those without take what is left.
fn fit_in_some_order(patterns: &[EventPattern], seen: &[&Event]) -> bool {
    let mut left = seen.to_vec();
    let (exact, open): (Vec<_>, Vec<_>) = patterns.iter().partition(|pattern| pattern.detail.is_some());
    exact.into_iter().chain(open).all(|pattern| {
        left.iter().position(|event| fits(pattern, event)).is_some_and(|found| {
            left.swap_remove(found);
            true
        })
    })
}

fn judge_status<E: Engine>(stage: &Stage<E>, name: &Name, claims: &ContainerExpect, unmet: &mut Vec<String>) {
    let status = stage.status(name);
    let mut claim = |what: &str, wanted: Option<String>, is: String| {
        if let Some(wanted) = wanted.filter(|wanted| *wanted != is) {
            unmet.push(format!("{name}'s {what} was to be {wanted}, and is {is}"));
        }
    };
    claim("state", claims.state.map(|state| state.to_string()), status.state.to_string());
    let exit = status.exit.map_or_else(|| "none".into(), |code| code.to_string());
    claim("exit code", claims.exit.map(|code| code.to_string()), exit);
    claim("oom", claims.oom.map(|oom| oom.to_string()), status.oom.to_string());
    claim("restart count", claims.restarts.map(|count| count.to_string()), status.restarts.to_string());
    let health = status.health.map_or("none", Health::word);
    claim("health", claims.health.map(|wanted| health_word(wanted).into()), health.into());
    if let Some(wanted) = &claims.error {
        let error = status.error.unwrap_or_default();
        if !error.contains(wanted.as_str()) {
            unmet.push(format!("{name}'s error was to contain `{wanted}`, and is `{error}`"));
        }
    }
}

/// Docker's words, as the model has them; `none` without a check.
pub(super) fn health_word(wanted: HealthState) -> &'static str {
    match wanted {
        HealthState::None => "none",
        HealthState::Starting => Health::Starting.word(),
        HealthState::Healthy => Health::Healthy.word(),
        HealthState::Unhealthy => Health::Unhealthy.word(),
    }
}

fn judge_output<E: Engine>(stage: &mut Stage<E>, step: &Step, wanted: &str) -> Option<String> {
    let outputs: Vec<String> =
        step.action.containers().iter().map(|name| stage.engine.output(name)).collect();
    judge_written(&outputs.concat(), wanted)
}

fn judge_written(written: &str, wanted: &str) -> Option<String> {
    (!written.contains(wanted))
        .then(|| format!("the output was to contain `{wanted}`, and is `{}`", written.trim_end()))
}

fn judge_resources<E: Engine>(
    stage: &mut Stage<E>,
    name: &Name,
    claims: &ContainerExpect,
    unmet: &mut Vec<String>,
) {
    if claims.processes.is_none() && claims.memory.is_none() && claims.ports.is_none() {
        return;
    }
    if !stage.tolerance.counts_resources(stage.status(name).state) {
        return;
    }
    let resources = stage.engine.resources(name);
    let told =
        |number: Option<u64>| number.map_or_else(|| "not known here".into(), |number| number.to_string());
    if claims.processes.is_some_and(|wanted| Some(wanted) != resources.processes) {
        let wanted = told(claims.processes);
        unmet.push(format!("{name} was to have {wanted} processes, and has {}", told(resources.processes)));
    }
    let size = |bytes: u64| bytesize::ByteSize(bytes).display().iec().to_string();
    let held = resources.memory_bytes;
    let memory = match claims.memory {
        Some(MemoryExpect::More(bound)) if held.is_none_or(|held| held <= bound) => Some(("more", bound)),
        Some(MemoryExpect::Less(bound)) if held.is_none_or(|held| held >= bound) => Some(("less", bound)),
        _ => None,
    };
    if let Some((than, bound)) = memory {
        let held = held.map_or_else(|| "an unknown amount".into(), size);
        unmet.push(format!("{name} was to hold {than} than {} of memory, and holds {held}", size(bound)));
    }
    if let Some(wanted) = &claims.ports {
        let held: Vec<u16> = resources.ports.iter().filter_map(|port| host_port(port)).collect();
        if held != *wanted {
            unmet.push(format!("{name} was to hold the host ports {wanted:?}, and holds {held:?}"));
        }
    }
}

/// `8081` of `0.0.0.0:8081->80/tcp`.
pub(super) fn host_port(shown: &str) -> Option<u16> {
    shown.split("->").next()?.rsplit(':').next()?.parse().ok()
}

/// CPU shares are measured over the half second after the step, all at once.
fn judge_cpu<E: Engine>(stage: &mut Stage<E>, expect: &Expect) -> Result<Vec<String>, Interrupted> {
    let wanted: Vec<(&Name, CpuExpect)> =
        expect.containers.iter().filter_map(|(name, claims)| Some((name, claims.cpu?))).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let began = stage.now();
    let before = cpu_seconds(stage, &wanted);
    stage.pass(CPU_WINDOW)?;
    let after = cpu_seconds(stage, &wanted);
    let elapsed = stage.now().saturating_sub(began).as_secs_f64();
    let tolerance = stage.tolerance.of_cpu();
    let judged = wanted.iter().filter_map(|(name, wanted)| {
        let share = 100.0 * (after.get(name)? - before.get(name)?).max(0.0) / elapsed;
        let (met, wanted) = match wanted {
            CpuExpect::Idle => (share < 5.0, "be idle (under 5 %)".into()),
            CpuExpect::Busy => (share > 25.0, "be busy (over 25 %)".into()),
            CpuExpect::Percent(percent) => {
                ((share - f64::from(*percent)).abs() <= tolerance, format!("use {percent} % of a CPU"))
            }
        };
        (!met).then(|| format!("{name} was to {wanted}, and used {share:.0} %"))
    });
    Ok(judged.collect())
}

fn cpu_seconds<E: Engine>(stage: &mut Stage<E>, of: &[(&Name, CpuExpect)]) -> BTreeMap<Name, f64> {
    let absent = |stage: &Stage<E>, name: &Name| stage.status(name).state == State::Absent;
    of.iter()
        .map(|(name, _)| {
            let used = if absent(stage, name) { Some(0.0) } else { stage.engine.resources(name).cpu_seconds };
            ((*name).clone(), used.unwrap_or(f64::NAN))
        })
        .collect()
}
