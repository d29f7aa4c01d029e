//! A story about containers in YAML: the format, loading it with errors that help, and writing it.
//!
//! A file is read twice: once for its places (lines, columns, depth, keys that stand twice), once by serde for its
//! meaning. Then the story is checked as a whole, so that nothing runs of a file in which something is wrong.
//!
//! Of YAML it may use everything but anchors, aliases, tags and further documents: a page of text has no use for
//! them, and some files that use them never end.

mod action;
mod behavior;
mod bundled;
mod check;
mod claim;
mod container;
mod error;
mod expect;
mod format;
mod load;
mod places;
mod quantity;
#[cfg(all(target_os = "linux", feature = "linux"))]
mod record;
pub mod replay;
mod reword;
mod schema;
mod shape;
mod verb;
mod words;

pub use action::{
    Action, AskedSignal, Awaited, Build, Crash, Exec, Kill, Remove, Rename, Request, Stop, Tag, Update,
    WaitExit, WaitFor,
};
pub use bundled::{Bundled, NeitherFileNorLesson, bundled, find_bundled};
pub use error::{ScenarioError, Wrong};
pub use expect::{
    ContainerExpect, CpuExpect, EventPattern, Events, Expect, HealthState, MemoryExpect, Order, Took,
};
pub use format::{Lesson, Place, Rule, Scenario, Step, Text};
pub use load::{load, parse};
#[cfg(all(target_os = "linux", feature = "linux"))]
pub use record::{NotRecordable, record};
pub use schema::schema;

pub use crate::world::RequestError;
