//! Why a verb does not do what it was told: the words are wrong, or the world is not as they want it.

use std::fmt::Display;

use super::super::{BAD, GOOD, WRONG_WORDS, complain};
use crate::keeper::{CallError, EstateError, LayersError};
use crate::report::docker::filter::FilterError;
use crate::report::docker::moment::InvalidMoment;
use crate::report::docker::template::TemplateError;

/// One sentence, and whose fault it is.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) said: String,
    pub(super) status: u8,
}

impl Trouble {
    /// What was typed makes no sense.
    pub(super) fn words(said: impl Display) -> Self {
        Self { said: said.to_string(), status: WRONG_WORDS }
    }

    /// It makes sense, and cannot be done.
    pub(super) fn world(said: impl Display) -> Self {
        Self { said: said.to_string(), status: BAD }
    }

    /// Nobody listens any more, and there is nothing to complain of.
    pub(super) fn silent() -> Self {
        Self { said: String::new(), status: GOOD }
    }
}

/// The exit status of a verb; its sentence, if it failed.
pub(super) fn status_of(result: Result<(), Trouble>) -> u8 {
    match result {
        Ok(()) => GOOD,
        Err(trouble) => {
            if !trouble.said.is_empty() {
                complain(&trouble.said);
            }
            trouble.status
        }
    }
}

impl From<FilterError> for Trouble {
    fn from(error: FilterError) -> Self {
        Self::words(error)
    }
}

impl From<TemplateError> for Trouble {
    fn from(error: TemplateError) -> Self {
        Self::words(error)
    }
}

impl From<InvalidMoment> for Trouble {
    fn from(error: InvalidMoment) -> Self {
        Self::words(error)
    }
}

impl From<EstateError> for Trouble {
    fn from(error: EstateError) -> Self {
        Self::world(error)
    }
}

impl From<CallError> for Trouble {
    fn from(error: CallError) -> Self {
        Self::world(error)
    }
}

impl From<LayersError> for Trouble {
    fn from(error: LayersError) -> Self {
        Self::world(error)
    }
}
