//! A replay to play with: the steps on the left, what there is and what has just happened on the right.
//!
//! The player keeps a record and a place in it. Keys move the place; whatever needs more than the record is a wish that
//! its caller grants.

mod screen;

pub use screen::draw;

use super::record::{Record, StepRecord};
use crate::engine::trace::{Entry, Opening, StepOpening, StepTrace};
use crate::model::Name;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Where one is in a replay.
pub struct Player {
    record: Record,
    /// How many steps have been shown.
    shown: usize,
    pace: Pace,
    rewinding: Rewinding,
    /// What is being typed for a fork.
    typed: Option<String>,
    /// What could not be done.
    note: Option<String>,
    /// How often the story has been forked.
    forks: usize,
}

/// Whether time goes on by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    Steps,
    Runs,
}

/// Whether what has happened can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rewinding {
    /// In the simulator.
    Possible,
    /// On a kernel.
    Impossible,
}

/// What a key asks for that the player cannot do alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing.
    None,
    /// The next step, where it has not been lived yet.
    Next,
    /// To go another way from here: this step instead of what comes.
    Fork(String),
    /// Back to the story before the last fork.
    Unfork,
    /// The end.
    Quit,
}

impl Player {
    /// At the beginning of a record, which may still grow.
    pub fn new(record: Record, rewinding: Rewinding) -> Self {
        Self { record, shown: 0, pace: Pace::Steps, rewinding, typed: None, note: None, forks: 0 }
    }

    /// How many steps have been shown.
    pub fn shown(&self) -> usize {
        self.shown
    }

    /// Whether time goes on by itself.
    pub fn runs(&self) -> bool {
        self.pace == Pace::Runs
    }

    /// Says something in the last line.
    pub fn note(&mut self, note: String) {
        self.note = Some(note);
    }

    /// Shows another record: a fork, or the story before one.
    pub fn show(&mut self, record: Record, shown: usize, forks: usize) {
        self.shown = shown.min(record.steps.len());
        self.record = record;
        self.forks = forks;
        self.pace = Pace::Steps;
    }

    /// The record that is shown.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// A replay is about to begin.
    pub fn opens(&mut self, opening: &Opening) {
        self.record.opening = Some(opening.clone());
    }

    /// A step is about to be lived.
    pub fn begins(&mut self, step: &StepOpening) {
        self.record.steps.push(StepRecord { opening: step.clone(), parts: Vec::new() });
    }

    /// It has been lived.
    pub fn lived(&mut self, step: &StepTrace) {
        if let Some(last) = self.record.steps.last_mut() {
            last.parts.push(step.clone());
        }
        self.shown = self.record.steps.len();
    }

    /// Goes on by one step; stops running at the end.
    pub fn go_on(&mut self) -> Wish {
        self.note = None;
        if self.shown < self.record.steps.len() && self.rewinding == Rewinding::Possible {
            self.shown += 1;
        }
        if self.shown == self.record.steps.len() {
            self.pace = if self.rewinding == Rewinding::Possible { Pace::Steps } else { self.pace };
        }
        Wish::Next
    }

    /// What a key does.
    pub fn key(&mut self, key: KeyEvent) -> Wish {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Wish::Quit;
        }
        if self.typed.is_some() {
            return self.key_of_fork(key.code);
        }
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => Wish::Quit,
            KeyCode::Char(' ' | 'n' | 'l') | KeyCode::Right | KeyCode::Down | KeyCode::Enter => self.go_on(),
            KeyCode::Char('r') => {
                self.pace = if self.runs() { Pace::Steps } else { Pace::Runs };
                if self.runs() { self.go_on() } else { Wish::None }
            }
            KeyCode::Char('b' | 'h' | 'p') | KeyCode::Left | KeyCode::Up | KeyCode::Backspace => {
                self.rewind(self.shown.saturating_sub(1))
            }
            KeyCode::Home | KeyCode::Char('g') => self.rewind(0),
            KeyCode::End | KeyCode::Char('G') if self.rewinding == Rewinding::Possible => {
                self.rewind(self.record.steps.len())
            }
            KeyCode::Char('f') if self.rewinding == Rewinding::Possible => {
                self.pace = Pace::Steps;
                self.note = None;
                self.typed = Some(String::new());
                Wish::None
            }
            KeyCode::Char('f') => {
                self.note = Some("a kernel lives once: it can be forked with --engine sim".into());
                Wish::None
            }
            KeyCode::Char('u') if self.forks > 0 => Wish::Unfork,
            _ => Wish::None,
        }
    }

    fn rewind(&mut self, to: usize) -> Wish {
        self.note = None;
        self.pace = Pace::Steps;
        match self.rewinding {
            Rewinding::Possible => self.shown = to,
            Rewinding::Impossible => {
                self.note = Some("a kernel lives once: it can be rewound with --engine sim".into());
            }
        }
        Wish::None
    }

    fn key_of_fork(&mut self, code: KeyCode) -> Wish {
        let Some(mut typed) = self.typed.take() else { return Wish::None };
        match code {
            KeyCode::Esc => return Wish::None,
            KeyCode::Enter if typed.trim().is_empty() => return Wish::None,
            KeyCode::Enter => return Wish::Fork(typed.trim().to_owned()),
            KeyCode::Backspace => {
                typed.pop();
            }
            KeyCode::Char(letter) => typed.push(letter),
            _ => {}
        }
        self.typed = Some(typed);
        Wish::None
    }

    /// Every container that has been so far, as it is at this point.
    fn entries(&self) -> Vec<(&Name, Entry)> {
        let shown = &self.record.steps[..self.shown];
        let entry = |name: &Name| {
            let last = shown.iter().flat_map(|step| &step.parts).next_back();
            let change = last.and_then(|part| part.ledger.get(name));
            change.map_or_else(Entry::absent, |change| change.after.clone())
        };
        self.record.containers().into_iter().map(|name| (name, entry(name))).collect()
    }

    /// The step that was shown last.
    fn last(&self) -> Option<&StepRecord> {
        self.shown.checked_sub(1).and_then(|nth| self.record.steps.get(nth))
    }

    /// The step that comes, if it is known.
    fn coming(&self) -> Option<&StepRecord> {
        self.record.steps.get(self.shown)
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::engine::trace::{Change, Closing, StepOutcome};
    use crate::model::{Resources, State, Status};

    fn record() -> Record {
        let name = Name::new("web").expect("a letter begins it");
        let step = |index: usize, action: &'static str, to: State| {
            let entry =
                |state| Entry { status: Status { state, ..Status::ABSENT }, resources: Resources::zero() };
            let change = Change { before: entry(State::Absent), after: entry(to) };
            let opening = StepOpening {
                index,
                action: action.into(),
                containers: vec![name.clone()],
                words: String::new(),
                say: Some("So it is.".into()),
                ask: Some("What happens?".into()),
                output: None,
                checkable: Vec::new(),
            };
            let part = StepTrace {
                index,
                action,
                container: Some(name.clone()),
                at: std::time::Duration::ZERO,
                took: None,
                outcome: StepOutcome::Done,
                message: None,
                happened: Vec::new(),
                ledger: [(name.clone(), change)].into(),
                unmet: None,
                diverged: Vec::new(),
                image: None,
            };
            StepRecord { opening, parts: vec![part] }
        };
        let steps = vec![
            step(1, "run", State::Running),
            step(2, "pause", State::Paused),
            step(3, "stop", State::Stopped),
        ];
        Record { opening: None, steps, closing: Closing::default() }
    }

    fn press(player: &mut Player, keys: &str) -> Wish {
        let code = |letter| match letter {
            '\n' => KeyCode::Enter,
            '<' => KeyCode::Left,
            letter => KeyCode::Char(letter),
        };
        keys.chars().map(|letter| player.key(KeyEvent::from(code(letter)))).last().expect("a key")
    }

    fn seen(player: &Player, width: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, 24)).expect("it is made of memory");
        terminal.draw(|frame| draw(frame, player)).expect("memory can be drawn on");
        terminal.backend().to_string()
    }

    #[test]
    fn a_life_is_stepped_and_rewound() {
        let mut player = Player::new(record(), Rewinding::Possible);
        assert!(!seen(&player, 80).contains("paused"));
        press(&mut player, "  ");
        assert!(seen(&player, 80).contains("paused"), "{}", seen(&player, 80));
        press(&mut player, "<");
        assert_eq!(player.shown(), 1);
        assert!(seen(&player, 80).contains("running"));
    }

    #[test]
    fn an_answer_is_not_shown_before_its_step() {
        let mut player = Player::new(record(), Rewinding::Possible);
        assert!(seen(&player, 100).contains("? What happens?") && !seen(&player, 100).contains("So it is."));
        press(&mut player, " ");
        assert!(seen(&player, 100).contains("So it is."));
    }

    #[test]
    fn a_fork_is_typed_and_may_be_given_up() {
        let mut player = Player::new(record(), Rewinding::Possible);
        assert_eq!(press(&mut player, " fkill web\n"), Wish::Fork("kill web".into()));
        press(&mut player, "fq");
        assert!(seen(&player, 80).contains("q_"), "a letter is text while one types");
        assert_eq!(player.key(KeyEvent::from(KeyCode::Esc)), Wish::None);
        assert_eq!(press(&mut player, "q"), Wish::Quit);
    }

    #[test]
    fn a_kernel_is_neither_rewound_nor_forked() {
        let mut player = Player::new(record(), Rewinding::Impossible);
        player.shown = 2;
        press(&mut player, "<");
        assert_eq!(player.shown(), 2);
        assert!(seen(&player, 80).contains("a kernel lives once"));
        assert_eq!(press(&mut player, "f"), Wish::None);
    }

    #[test]
    fn a_small_terminal_shows_what_fits() {
        for width in [20, 40, 200] {
            seen(&Player::new(record(), Rewinding::Possible), width);
        }
    }
}
