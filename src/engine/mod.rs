//! What a scenario talks to: a model with a world, told what to do and asked how things are.

pub mod differences;
#[cfg(all(target_os = "linux", feature = "docker"))]
pub mod docker;
#[cfg(all(target_os = "linux", feature = "linux"))]
pub mod journal;
mod local;
pub mod planted;
pub mod trace;

use std::time::Duration;

pub use local::{Local, Notes, Unwritten};

use crate::model::{Command, ContainerSpec, HostFacts, Name, Outcome, Resources, Signal, Status, Ticket};
use crate::world::images::{ImageAnswer, ImageRequest};
use crate::world::{HttpRequest, Interrupted, RequestError, RequestId, Response, Staged};
use trace::Happening;

/// Something that containers can be asked of.
pub trait Engine {
    /// What its host can do.
    fn facts(&self) -> HostFacts;

    /// How long it has existed.
    fn now(&self) -> Duration;

    /// Asks for something; the answer comes with time.
    fn submit(&mut self, command: &Command) -> Ticket;

    /// The answer to a request, and when it came.
    fn answer(&self, ticket: Ticket) -> Option<&(Duration, Outcome)>;

    /// Lets time pass until something has happened, or until `deadline`; says which.
    fn advance(&mut self, deadline: Duration) -> Result<Passed, Interrupted>;

    /// All transitions and events so far, in their order.
    fn happened(&self) -> &[Happening];

    /// How a container is.
    fn status(&self, name: &Name) -> Status;

    /// Every container that there is.
    fn names(&self) -> Vec<Name>;

    /// What a container costs, counted now.
    fn resources(&mut self, name: &Name) -> Resources;

    /// What a container's process has written.
    fn output(&mut self, name: &Name) -> String;

    /// Sends a container's PID 1 a signal from outside, past the engine.
    fn strike(&mut self, name: &Name, signal: Signal);

    /// Kills a container's keeper, and the container with it; the restart policy decides. Says whether that could be staged.
    fn lose_keeper(&mut self, name: &Name) -> Staged;

    /// The host goes down and comes up again. Says whether that could be staged.
    fn reboot(&mut self) -> Staged;

    /// Whether everything that a reboot sets off is over: what policies start runs, and what removes itself is gone.
    fn has_come_up(&self) -> bool;

    /// Asks a server on its host by HTTP; the answer comes with time.
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

    /// What is still there of containers that are gone, one line each.
    fn left_behind(&mut self) -> Vec<String>;
}

/// How far time has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// Until something happened.
    Something,
    /// Until the deadline.
    Deadline,
}
