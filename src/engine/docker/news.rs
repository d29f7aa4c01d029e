//! What is heard from Docker while a replay goes on: events, answers, and signals to ourselves.

use std::collections::HashMap;
use std::sync::mpsc::Sender;
use std::time::{Duration, SystemTime};

use bollard::errors::Error;
use bollard::query_parameters::EventsOptions;
use futures_util::StreamExt as _;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::AbortHandle;

use super::asking::Said;
use super::event::{self, Told};
use crate::model::{Signal, Ticket};
use crate::world::images::ImageAnswer;
use crate::world::{RequestError, RequestId, Response};

/// One piece of it.
#[derive(Debug)]
pub(super) enum News {
    Told(Told),
    Answered {
        ticket: Ticket,
        at: Duration,
        said: Result<Said, Error>,
    },
    Replied(RequestId, Result<Response, RequestError>),
    /// Something has come of a request for an image.
    Imaged(RequestId, ImageAnswer),
    Interrupted(Signal),
}

/// Which events are asked for.
pub(super) type Labels = Vec<String>;

/// Passes on every event from now on, until nobody listens.
pub(super) async fn follow(client: bollard::Docker, labels: Labels, since: String, news: Sender<News>) {
    let mut events = Box::pin(client.events(Some(options(labels, since, None))));
    while let Some(message) = events.next().await {
        let Ok(message) = message else { return };
        if let Some(told) = event::read(message)
            && news.send(News::Told(told)).is_err()
        {
            return;
        }
    }
}

/// The events up to this moment, in their order.
pub(super) async fn so_far(client: &bollard::Docker, labels: Labels, since: String) -> Vec<Told> {
    let mut events = Box::pin(client.events(Some(options(labels, since, Some(seconds(SystemTime::now()))))));
    let mut all = Vec::new();
    while let Some(Ok(message)) = events.next().await {
        all.extend(event::read(message));
    }
    all
}

/// Passes on what would end this process.
pub(super) fn await_interruptions(handle: &Handle, news: &Sender<News>) -> Vec<AbortHandle> {
    let kinds = [
        (SignalKind::interrupt(), Signal::from_number(2)),
        (SignalKind::terminate(), Some(Signal::TERM)),
        (SignalKind::hangup(), Signal::from_number(1)),
    ];
    let _within = handle.enter();
    let follow = |(kind, number): (SignalKind, Option<Signal>)| {
        let (mut stream, number, news) = (signal(kind).ok()?, number?, news.clone());
        let follower = handle.spawn(async move {
            while stream.recv().await.is_some() {
                if news.send(News::Interrupted(number)).is_err() {
                    return;
                }
            }
        });
        Some(follower.abort_handle())
    };
    kinds.into_iter().filter_map(follow).collect()
}

/// A moment as the daemon reads it.
pub(super) fn seconds(moment: SystemTime) -> String {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:09}", since.as_secs(), since.subsec_nanos())
}

fn options(labels: Labels, since: String, until: Option<String>) -> EventsOptions {
    let filters: HashMap<String, Vec<String>> =
        [("type".into(), vec!["container".into()]), ("label".into(), labels)].into();
    EventsOptions { since: Some(since), until, filters: Some(filters) }
}
