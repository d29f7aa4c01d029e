//! Where effects happen: a simulator and a kernel behind one trait.

pub mod images;
#[cfg(all(target_os = "linux", feature = "linux"))]
pub mod linux;
pub mod simulated;

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use self::images::{ImageAnswer, ImageRequest};
use crate::model::{Action, ContainerSpec, HostFacts, Id, Observation, Resources, Signal};

/// A place where containers live. Its time begins at zero.
pub trait World {
    /// What it can do.
    fn facts(&self) -> HostFacts;

    /// How long it has existed.
    fn now(&self) -> Duration;

    /// Performs an action. Whatever comes of it, failure too, is an observation.
    fn perform(&mut self, id: Id, action: &Action);

    /// Waits for the next observation, until `deadline` at most; returns earlier without one if a request may be answered.
    fn next(&mut self, deadline: Duration) -> Result<Option<(Id, Observation)>, Interrupted>;

    /// Sends a container's PID 1 a signal from outside, past the engine.
    fn strike(&mut self, id: Id, signal: Signal);

    /// All of a container's processes die and nobody is told, as when its keeper is killed. Of its timers the wait of a back-off
    /// stays: the next keeper would go on with that.
    fn lose_keeper(&mut self, id: Id);

    /// Every process dies, as when the host goes down; names and files stay. Says whether that could be staged.
    fn reboot(&mut self) -> Staged;

    /// Asks a server on this host by HTTP; the answer comes with time.
    fn request(&mut self, request: &HttpRequest) -> RequestId;

    /// What came of a request, once something has.
    fn response(&mut self, id: RequestId) -> Option<Result<Response, RequestError>>;

    /// The names of the images that there are, nothing left out of them.
    fn images(&self) -> Vec<String>;

    /// Begins something with an image; the answer comes with time.
    fn ask_for_image(&mut self, request: &ImageRequest) -> RequestId;

    /// What came of that, once something has.
    fn image_answer(&mut self, id: RequestId) -> Option<ImageAnswer>;

    /// What a container is that is wished for, with what its image says by now; or why there cannot be one.
    fn resolve(&self, wish: &ContainerSpec) -> Result<ContainerSpec, String>;

    /// What a container costs at this moment, counted and not remembered.
    fn resources(&mut self, id: Id) -> Resources;

    /// What its process has written to standard output.
    fn output(&mut self, id: Id) -> String;

    /// What is still there of all the containers that ever lived here, one line each: nothing, if all is well.
    fn left_behind(&mut self) -> Vec<String>;
}

/// A request to a server on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// `http://HOST:PORT/PATH`.
    pub url: String,
    /// `GET`, say.
    pub method: String,
    /// What is sent along.
    pub body: Option<String>,
    /// How long to wait for the whole answer.
    pub within: Duration,
}

/// The number of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub u32);

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// How a request can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// Nobody listens.
    Refused,
    /// The connection was made and then broken.
    Reset,
    /// No answer within its time.
    TimedOut,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::TimedOut => "timed out",
        })
    }
}

impl HttpRequest {
    /// The port in its URL; 80 if none is given.
    pub fn port(&self) -> Option<u16> {
        let authority = self.url.strip_prefix("http://")?.split(['/', '?', '#']).next()?;
        match authority.rsplit_once(':') {
            Some((_, port)) if !port.contains(']') => port.parse().ok(),
            _ => Some(80),
        }
    }
}

/// Whether something rare could be staged in this world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staged {
    /// It has happened.
    Yes,
    /// This world cannot do it.
    No,
}

/// The waiting was cut short by a signal to terrarium itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("interrupted by {0} (all containers of this replay are removed)")]
pub struct Interrupted(pub Signal);
