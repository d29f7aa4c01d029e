//! How a transfer is shown: a bar for each layer on a terminal, a line when each has arrived elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::image::Digest;
use crate::image::registry::{End, Progress};

/// What people see of a transfer.
pub(super) struct Shown {
    bars: Option<MultiProgress>,
    each: Mutex<BTreeMap<Digest, ProgressBar>>,
    quiet: bool,
    under_way: &'static str,
}

const BAR: &str = "{prefix}: {msg:<21} {bar:30} {bytes:>9} of {total_bytes}";
const ENDED: &str = "{prefix}: {msg}";

impl Shown {
    pub(super) fn new(quiet: bool, under_way: &'static str) -> Self {
        let terminal = std::io::stderr().is_terminal() && !quiet;
        let bars = terminal.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
        Self { bars, each: Mutex::new(BTreeMap::new()), quiet, under_way }
    }

    fn bar(&self, blob: &Digest) -> Option<ProgressBar> {
        self.each.lock().unwrap_or_else(PoisonError::into_inner).get(blob).cloned()
    }
}

impl Progress for Shown {
    fn begins(&self, blob: &Digest, bytes: u64) {
        let Some(bars) = &self.bars else { return };
        let bar = bars.add(ProgressBar::new(bytes));
        let style = ProgressStyle::with_template(BAR).expect("the template is right");
        bar.set_style(style.progress_chars("=> "));
        bar.set_prefix(blob.short().to_owned());
        bar.set_message(self.under_way);
        self.each.lock().unwrap_or_else(PoisonError::into_inner).insert(blob.clone(), bar);
    }

    fn moved(&self, blob: &Digest, bytes: u64) {
        if let Some(bar) = self.bar(blob) {
            bar.set_position(bytes);
        }
    }

    fn ends(&self, blob: &Digest, end: End) {
        let said = match end {
            End::There if self.under_way == PUSHING => "Layer already exists",
            End::There => "Already exists",
            End::Pulled => "Pull complete",
            End::Pushed => "Pushed",
        };
        if let Some(bar) = self.bar(blob) {
            bar.set_style(ProgressStyle::with_template(ENDED).expect("the template is right"));
            bar.finish_with_message(said);
        } else if !self.quiet {
            eprintln!("{}: {said}", blob.short());
        }
    }
}

/// What is said of a layer under way.
pub(super) const PULLING: &str = "Downloading";
/// The same the other way round.
pub(super) const PUSHING: &str = "Pushing";
