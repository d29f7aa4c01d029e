//! A line of `ps`.

use super::super::format::{Column, Row};
use super::super::{moment, words};
use super::Portrait;

/// What can be shown of a container, and what stands above it.
pub const COLUMNS: [Column; 15] = [
    ("ID", "CONTAINER ID"),
    ("Image", "IMAGE"),
    ("Command", "COMMAND"),
    ("RunningFor", "CREATED"),
    ("Status", "STATUS"),
    ("Ports", "PORTS"),
    ("Names", "NAMES"),
    ("Size", "SIZE"),
    ("CreatedAt", "CREATED AT"),
    ("State", "STATE"),
    ("Labels", "LABELS"),
    ("Mounts", "MOUNTS"),
    ("LocalVolumes", "LOCAL VOLUMES"),
    ("Networks", "NETWORKS"),
    ("Platform", "PLATFORM"),
];
/// What is shown when nobody says.
pub const USUAL: [&str; 7] = ["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"];
/// The same with `--size`.
pub const WITH_SIZE: [&str; 8] = ["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names", "Size"];

/// Whether long texts are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truncation {
    /// They are.
    Cut,
    /// They are not.
    Whole,
}

const COMMAND: usize = 20;
const MOUNT: usize = 15;

/// A container's line; `size` is what it has written, and what it is in all.
pub fn row(of: &Portrait<'_>, truncation: Truncation, size: Option<(u64, u64)>) -> Row {
    let command = of.command().join(" ");
    let (id, command) = match truncation {
        Truncation::Cut => (of.short_id().to_owned(), words::shortened(&command, COMMAND)),
        Truncation::Whole => (of.id.to_owned(), command),
    };
    let mounts: Vec<String> = of
        .spec
        .volumes
        .iter()
        .map(|mount| match truncation {
            Truncation::Cut => words::shortened(&mount.source, MOUNT),
            Truncation::Whole => mount.source.clone(),
        })
        .collect();
    let volumes = of.spec.volumes.iter().filter(|mount| !mount.source.starts_with('/')).count();
    let labels: Vec<String> = of.spec.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let size = size.map_or_else(
        || "0B".to_owned(),
        |(written, all)| format!("{} (virtual {})", words::size(written), words::size(all)),
    );
    Row::new([
        ("ID", id),
        ("Image", of.spec.image.clone()),
        ("Command", words::quoted(&command)),
        ("RunningFor", format!("{} ago", words::span(of.since(&of.account.opened)))),
        ("Status", of.status_words()),
        ("Ports", words::ports(&of.status.ports)),
        ("Names", of.name().to_owned()),
        ("Size", size),
        ("CreatedAt", moment::spelled(of.account.opened.wall)),
        ("State", of.status.state.docker().to_owned()),
        ("Labels", labels.join(",")),
        ("Mounts", mounts.join(",")),
        ("LocalVolumes", volumes.to_string()),
        ("Networks", of.network()),
        ("Platform", "linux".to_owned()),
    ])
    .labelled(of.spec.labels.clone())
}
