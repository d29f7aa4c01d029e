//! `terrarium replay --play`: a replay on a screen of its own, step by step, back, and another way.
//!
//! In the simulator the whole life is lived at once, and playing is walking through its record; a fork is a scenario with
//! another step at its end, lived anew. On a kernel each step is lived when it is asked for.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use crossterm::event::{self, Event, KeyEventKind};
use ratatui::DefaultTerminal;

use crate::engine::trace::{Audience, Closing, Opening, StepOpening, StepTrace};
use crate::report::{Nobody, Player, Record, Recorded, Rewinding, Wish, draw};
use crate::scenario::replay::{Play, ReplayError, simulate};
use crate::scenario::{Scenario, parse};

/// How long a step stays on the screen while time goes on by itself.
const PACE: Duration = Duration::from_millis(900);

/// Whether there is a screen to play on.
pub(super) fn has_screen() -> bool {
    io::stdout().is_terminal() && io::stdin().is_terminal()
}

/// Plays a simulated life until the player has enough of it.
pub(super) fn in_the_simulator(play: Play<'_>) -> Result<Closing, ReplayError> {
    let mut stories = vec![Story { scenario: play.scenario.clone(), record: lived(play)?, at: 0 }];
    let closing = stories[0].record.closing().clone();
    let mut player = Player::new(stories[0].record.clone(), Rewinding::Possible);
    let mut terminal = ratatui::try_init()?;
    let ended = walk(&mut terminal, &mut player, &mut stories, play);
    ratatui::restore();
    ended.map(|()| closing)
}

/// A scenario, how it went, and where one was in it when it was forked.
struct Story {
    scenario: Scenario,
    record: Record,
    at: usize,
}

fn walk(
    terminal: &mut DefaultTerminal,
    player: &mut Player,
    stories: &mut Vec<Story>,
    play: Play<'_>,
) -> Result<(), ReplayError> {
    loop {
        terminal.draw(|frame| draw(frame, player))?;
        match pressed(player)? {
            Wish::Quit => return Ok(()),
            Wish::Fork(words) => match forked(stories, player.shown(), &words, play) {
                Ok(story) => {
                    let at = player.shown() + 1;
                    if let Some(last) = stories.last_mut() {
                        last.at = player.shown();
                    }
                    player.show(story.record.clone(), at, stories.len());
                    stories.push(story);
                }
                Err(why) => player.note(why),
            },
            Wish::Unfork if stories.len() > 1 => {
                stories.pop();
                if let Some(story) = stories.last() {
                    player.show(story.record.clone(), story.at, stories.len() - 1);
                }
            }
            Wish::None | Wish::Next | Wish::Unfork => {}
        }
    }
}

/// What the next key asks for; while time goes on by itself, a pause is the next step.
fn pressed(player: &mut Player) -> io::Result<Wish> {
    if player.runs() && !event::poll(PACE)? {
        return Ok(player.go_on());
    }
    match event::read()? {
        Event::Key(key) if key.kind != KeyEventKind::Release => Ok(player.key(key)),
        _ => Ok(Wish::None),
    }
}

fn lived(play: Play<'_>) -> Result<Record, ReplayError> {
    let mut nobody = Nobody;
    let mut recorded = Recorded::new(&mut nobody);
    simulate(play, &mut recorded)?;
    Ok(recorded.into_record())
}

/// The story up to here with another step, lived; or one line on why there is none.
fn forked(stories: &[Story], shown: usize, words: &str, play: Play<'_>) -> Result<Story, String> {
    let mut trunk = stories.last().expect("the first story is never taken away").scenario.clone();
    trunk.steps.truncate(shown);
    (trunk.always, trunk.never, trunk.eventually) = (Vec::new(), Vec::new(), Vec::new());
    let begun = trunk.to_yaml();
    let steps = if shown == 0 { "\nsteps:" } else { "" };
    let yaml = format!("{}{steps}\n- {}\n", begun.trim_end(), step(words));
    let scenario = parse("fork", &yaml).map_err(|error| told_in_a_line(&error.to_string()))?;
    let record = lived(Play { scenario: &scenario, ..play }).map_err(|error| error.to_string())?;
    Ok(Story { scenario, record, at: 0 })
}

/// A step as it is typed: `kill web SIGTERM`, `stop web 3s`, `remove web force`, `exec web sleep 5`; or as it is written in YAML.
fn step(words: &str) -> String {
    if words.contains(':') {
        return words.into();
    }
    let parts: Vec<_> = words.split_whitespace().collect();
    match parts[..] {
        ["reboot"] => "reboot: host".into(),
        ["exec", name, ref command @ ..] => {
            format!("exec: {{ container: {name}, command: ['{}'] }}", command.join("', '"))
        }
        [verb @ ("stop" | "restart"), name, timeout] => {
            format!("{verb}: {{ container: {name}, timeout: {timeout} }}")
        }
        [verb @ ("kill" | "crash"), name, signal] => {
            format!("{verb}: {{ container: {name}, signal: {signal} }}")
        }
        ["remove", name, "force"] => format!("remove: {{ container: {name}, force: true }}"),
        [verb, ref rest @ ..] => format!("{verb}: {}", rest.join(" ")),
        [] => String::new(),
    }
}

/// Of an error with its place and its line, what is wrong.
fn told_in_a_line(error: &str) -> String {
    let first = error.lines().next().unwrap_or_default();
    first.split_once(": ").map_or(first, |(_, what)| what).into()
}

/// An audience on a kernel: nothing is lived before the player asks for it.
pub(super) struct OnStage {
    /// Taken when the replay opens: before that, others may have something to say on it.
    terminal: Option<DefaultTerminal>,
    player: Player,
}

impl OnStage {
    pub(super) fn new() -> Self {
        Self { terminal: None, player: Player::new(Record::default(), Rewinding::Impossible) }
    }

    fn draw(&mut self) -> io::Result<()> {
        let Some(terminal) = &mut self.terminal else { return Ok(()) };
        terminal.draw(|frame| draw(frame, &self.player)).map(drop)
    }

    /// Waits until one wants to go on. Whoever wants to leave is no audience any more.
    fn wait(&mut self) -> io::Result<()> {
        loop {
            self.draw()?;
            match pressed(&mut self.player)? {
                Wish::Next => return Ok(()),
                Wish::Quit => return Err(io::ErrorKind::BrokenPipe.into()),
                Wish::None | Wish::Fork(_) | Wish::Unfork => {}
            }
        }
    }
}

impl Drop for OnStage {
    fn drop(&mut self) {
        if self.terminal.is_some() {
            ratatui::restore();
        }
    }
}

impl Audience for OnStage {
    fn opening(&mut self, opening: &Opening) -> io::Result<()> {
        self.player.opens(opening);
        self.terminal = Some(ratatui::try_init()?);
        self.draw()
    }

    fn step_begins(&mut self, step: &StepOpening) -> io::Result<()> {
        self.player.begins(step);
        self.wait()
    }

    fn step_done(&mut self, step: &StepTrace) -> io::Result<()> {
        self.player.lived(step);
        self.draw()
    }

    /// The last picture stays until a key is pressed.
    fn closing(&mut self, closing: &Closing) -> io::Result<()> {
        let verdict = if closing.is_good() { "all came true" } else { "not all came true" };
        self.player.note(format!("{verdict}, and nothing is kept: press a key to leave"));
        self.draw()?;
        while !matches!(event::read()?, Event::Key(key) if key.kind != KeyEventKind::Release) {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_becomes_a_step() {
        for (words, yaml) in [
            ("stop web", "stop: web"),
            ("stop web 3s", "stop: { container: web, timeout: 3s }"),
            ("kill web TERM", "kill: { container: web, signal: TERM }"),
            ("wait 5s", "wait: 5s"),
            ("remove web force", "remove: { container: web, force: true }"),
            ("exec web sleep 5", "exec: { container: web, command: ['sleep', '5'] }"),
            ("pause: web", "pause: web"),
        ] {
            assert_eq!(step(words), yaml);
        }
    }

    #[test]
    fn a_fork_lives_the_beginning_and_then_something_else() {
        let scenario = crate::scenario::find_bundled("ten-seconds").expect("it is on board").scenario;
        let play = Play { scenario: &scenario, file: "ten-seconds", lang: "en" };
        let trunk =
            Story { scenario: scenario.clone(), record: lived(play).expect("it is simulated"), at: 0 };
        let fork = forked(&[trunk], 1, "kill doomed TERM", play).expect("it can be forked");
        assert_eq!(fork.scenario.steps.len(), 2);
        let wrong = forked(&[fork], 1, "kil doomed", play).err().expect("it is a slip");
        assert!(wrong.contains("kil"), "{wrong}");
    }

    #[test]
    fn a_fork_can_begin_before_the_first_step() {
        let scenario = crate::scenario::find_bundled("paused").expect("it is on board").scenario;
        let play = Play { scenario: &scenario, file: "paused", lang: "en" };
        let trunk =
            Story { scenario: scenario.clone(), record: lived(play).expect("it is simulated"), at: 0 };
        assert!(forked(&[trunk], 0, "create thinker", play).is_ok());
    }
}
