//! The journal of one container: everything that went into its model, written down before anything came of it.
//!
//! State is not written anywhere: it is the [`Account`] that one gets by giving the inputs to the model once more. A record
//! is a line of text: a checksum, then JSON with two clocks and the input. A last line that is torn was never acted upon,
//! and is dropped; damage anywhere else is an error. A long journal is compacted: the inputs so far give way to the state
//! that they lead to, and to the latest of what there is to tell.

mod account;
mod clock;
mod file;
mod lock;
mod probes;
mod record;

pub use account::{Account, Said, Tale, Told};
pub use clock::{BootId, Clock, HostClock, Moment};
pub use file::{Journal, JournalError, Opened, read};
pub use lock::is_kept;
pub use probes::{Probe, Probes};
pub use record::{Input, Opening};
