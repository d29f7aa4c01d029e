//! `terrarium cp`: files into a container, and out of it.

use std::io::{self, IsTerminal as _, Write as _};

use clap::Args;

use super::super::Globals;
use super::super::container::estate;
use super::events::unheard;
use super::trouble::{Trouble, status_of};
use crate::keeper::control::Answer;
use crate::keeper::porter::{self, Errand, Links, Owners, Packed, Place, Porter, Unpacking};
use crate::keeper::{Asked, Resident, ask};
use crate::model::{Look, Verb};

/// Copy files into a container, or out of it
#[derive(Args)]
#[command(
    override_usage = "terrarium cp [OPTIONS] CONTAINER:PATH PATH|-\n       terrarium cp [OPTIONS] PATH|- CONTAINER:PATH",
    after_help = "\
Examples:
  terrarium cp web:/etc/hostname .
  terrarium cp site/. web:/srv                    what is in site, not itself
  terrarium cp web:/var/log - | tar t             as a tar stream"
)]
pub(in crate::cli) struct Cp {
    /// CONTAINER:PATH, a path, or - for a tar stream from standard input
    #[arg(value_name = "SOURCE", allow_hyphen_values = true)]
    source: String,

    /// CONTAINER:PATH, a path, or - for a tar stream to standard output
    #[arg(value_name = "TARGET", allow_hyphen_values = true)]
    target: String,

    /// Keep owners and groups
    #[arg(short, long)]
    archive: bool,

    /// Copy what a link leads to
    #[arg(short = 'L', long)]
    follow_link: bool,

    /// Do not say what was copied
    #[arg(short, long)]
    quiet: bool,
}

/// One end of a copy.
#[derive(Clone, Copy)]
enum End<'a> {
    Container(&'a str, &'a str),
    Here(&'a str),
    Stream,
}

impl<'a> End<'a> {
    /// What begins with `/` or `.` is a path, whatever follows.
    fn of(word: &'a str) -> Self {
        if word == "-" {
            return Self::Stream;
        }
        match word.split_once(':') {
            Some((container, path)) if !word.starts_with(['/', '.']) && !container.is_empty() => {
                Self::Container(container, path)
            }
            _ => Self::Here(word),
        }
    }
}

impl Cp {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        status_of(self.copy(globals))
    }

    fn copy(&self, globals: &Globals) -> Result<(), Trouble> {
        match (End::of(&self.source), End::of(&self.target)) {
            (End::Container(..), End::Container(..)) => Err(Trouble::words(
                "cannot copy from one container to another (copy it here first, then from here)",
            )),
            (End::Container(container, path), target) => self.fetch(globals, (container, path), target),
            (source, End::Container(container, path)) => self.bring(globals, source, (container, path)),
            _ => Err(Trouble::words("neither of the two is in a container (write it as CONTAINER:PATH)")),
        }
    }

    fn fetch(
        &self,
        globals: &Globals,
        (container, path): (&str, &str),
        target: End<'_>,
    ) -> Result<(), Trouble> {
        let place = place(globals, container, Look::CopyOut)?;
        let mut porter = Porter::send(&place, Errand::Fetch(self.links()), path)
            .map_err(|error| failed(container, &error))?;
        let mut stream = porter.output();
        let unpacked = match target {
            End::Here(there) => {
                porter::unpack(&mut stream, there, self.unpacking(path)).map_err(Trouble::world)
            }
            _ if io::stdout().is_terminal() => Err(Trouble::world(
                "a tar stream is nothing for a terminal (send it into a file: > files.tar)",
            )),
            _ => {
                let mut out = io::stdout().lock();
                io::copy(&mut stream, &mut out).and_then(|_| out.flush()).map_err(|error| unheard(&error))
            }
        };
        // Who does not read on must not be waited for.
        drop(stream);
        let packed = porter.wait().map_err(|error| failed(container, &error));
        match (packed, unpacked) {
            // A porter that nobody listens to has failed, too.
            (_, Err(trouble)) => Err(trouble),
            (packed, Ok(())) => packed,
        }?;
        self.tell(container);
        Ok(())
    }

    fn bring(
        &self,
        globals: &Globals,
        source: End<'_>,
        (container, path): (&str, &str),
    ) -> Result<(), Trouble> {
        let place = place(globals, container, Look::CopyIn)?;
        let how = match source {
            End::Here(from) => {
                // Before anything begins: a porter would wait for nothing.
                std::fs::symlink_metadata(from).map_err(|error| {
                    Trouble::world(format_args!("cannot copy {from}: {error} (look at what is here first)"))
                })?;
                self.unpacking(from)
            }
            _ => Unpacking { what: Packed::Anything, ..self.unpacking("") },
        };
        let mut porter =
            Porter::send(&place, Errand::Bring(how), path).map_err(|error| failed(container, &error))?;
        let mut stream = porter.input();
        let packed = match source {
            End::Here(from) => porter::pack(from, self.links(), &mut stream).map_err(Trouble::world),
            _ => io::copy(&mut io::stdin().lock(), &mut stream).map(drop).map_err(|error| {
                Trouble::world(format_args!("cannot read the tar stream: {error} (is it whole?)"))
            }),
        };
        drop(stream);
        // If it could not go on unpacking, nobody could go on packing.
        porter.wait().map_err(|error| failed(container, &error))?;
        packed?;
        self.tell(container);
        Ok(())
    }

    fn links(&self) -> Links {
        if self.follow_link { Links::Followed } else { Links::Kept }
    }

    fn unpacking(&self, source: &str) -> Unpacking {
        let contents = source == "." || source.ends_with("/.");
        Unpacking {
            what: if contents { Packed::Contents } else { Packed::Itself },
            owners: if self.archive { Owners::Kept } else { Owners::Root },
        }
    }

    fn tell(&self, container: &str) {
        if !self.quiet && io::stderr().is_terminal() && self.target != "-" {
            let direction = if self.source.starts_with(container) { "from" } else { "to" };
            eprintln!("copied {direction} {container}: {} → {}", self.source, self.target);
        }
    }
}

/// Where a container's files are.
fn place(globals: &Globals, container: &str, look: Look) -> Result<Place, Trouble> {
    let estate = estate(globals)?;
    let Resident { id, account } = estate.resident(container)?;
    match ask(&estate, &id, &Verb::Look(look)).and_then(Asked::answer)? {
        Answer::Done(Some(pid)) => Ok(Place::Running(pid)),
        Answer::Refused(why) => Err(Trouble::world(why)),
        _ => Ok(Place::Resting(estate.layers(&id, &account.spec.as_deref().cloned().unwrap_or_default())?)),
    }
}

fn failed(container: &str, error: &porter::PorterError) -> Trouble {
    Trouble::world(format_args!("cannot copy with {container}: {error}"))
}
