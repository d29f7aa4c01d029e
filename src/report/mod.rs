//! A trace, shown: as text for people, as JSON for programs, drawn as a picture.

pub mod diagram;
pub mod docker;
mod finding;
mod json;
mod lessons;
#[cfg(all(target_os = "linux", feature = "linux"))]
pub mod life;
mod paced;
mod paint;
mod play;
mod predict;
mod quiz;
mod record;
mod text;
mod timeline;
mod words;

pub use finding::{Finding, fails, finding, holds, listing};
pub use json::Json;
pub use lessons::{LessonLine, lessons};
pub use paced::{InvalidSpeed, Paced, Speed};
pub use paint::Paint;
#[cfg(all(target_os = "linux", feature = "linux"))]
pub(crate) use paint::Role;
pub use play::{Player, Rewinding, Wish, draw};
pub use predict::{Echo, Predict, Verdict, judge, truth};
pub use quiz::{QuizText, Tally};
pub use record::{Nobody, Record, Recorded};
pub use text::{Text, Why};
pub use timeline::{Canvas, UnknownCanvas};
#[cfg(all(target_os = "linux", feature = "linux"))]
pub(crate) use words::wrap;
