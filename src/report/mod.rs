//! A trace, shown: as text for people, as JSON for programs.

pub mod diagram;
mod json;
mod lessons;
mod paced;
mod paint;
mod predict;
mod text;
mod words;

pub use json::Json;
pub use lessons::{LessonLine, lessons};
pub use paced::{InvalidSpeed, Paced, Speed};
pub use paint::Paint;
pub use predict::{Echo, Predict};
pub use text::{Text, Why};
