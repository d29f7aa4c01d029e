//! `terrarium login` and `logout`: who we are to a registry.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use anyhow::{Context as _, bail};
use clap::Args;
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};

use super::super::{complain, written};
use super::Done;
use crate::image::registry::{Credentials, Keyring, check_login};

/// Log in to a registry
///
/// What is typed is stored where Docker stores it, with the credential helper
/// that its configuration names if there is one.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(in crate::cli) struct Login {
    /// The registry [default: Docker Hub]
    #[arg(value_name = "SERVER", default_value = HUB, hide_default_value = true)]
    server: String,

    /// The user name; asked for if it is not given
    #[arg(short, long, value_name = "NAME")]
    username: Option<String>,

    /// The password (others on this machine can see it: better from standard input)
    #[arg(short, long, value_name = "PASSWORD", conflicts_with = "password_stdin")]
    password: Option<String>,

    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
}

/// Log out from a registry: forget who we are to it
#[derive(Args)]
pub(in crate::cli) struct Logout {
    /// The registry [default: Docker Hub]
    #[arg(value_name = "SERVER", default_value = HUB, hide_default_value = true)]
    server: String,
}

const HUB: &str = "docker.io";

impl Login {
    pub(super) fn perform(&self) -> Done {
        let user = match &self.username {
            Some(user) => user.clone(),
            None if self.password_stdin => bail!("--password-stdin wants --username, too"),
            None => asked("Username: ")?,
        };
        let secret = match &self.password {
            Some(password) => {
                complain(
                    &"with --password others on this machine can see the password: use --password-stdin",
                );
                password.clone()
            }
            None if self.password_stdin => {
                let mut text = String::new();
                io::stdin().read_to_string(&mut text)?;
                text.trim_end_matches(['\r', '\n']).to_owned()
            }
            None => unseen(|| asked("Password: "))?,
        };
        let credentials = Credentials { user, secret };
        check_login(&self.server, &credentials)?;
        let place = Keyring::usual().store(&self.server, &credentials)?;
        if place.starts_with('/') {
            complain(&format_args!(
                "the password is stored unencrypted in {place} (a credential helper would change that)"
            ));
        }
        Ok(written("the result", "Login Succeeded\n"))
    }
}

impl Logout {
    pub(super) fn perform(&self) -> Done {
        let told = if Keyring::usual().erase(&self.server)? {
            format!("Removing login credentials for {}\n", self.server)
        } else {
            format!("Not logged in to {}\n", self.server)
        };
        Ok(written("the result", &told))
    }
}

fn asked(question: &str) -> anyhow::Result<String> {
    if !io::stdin().is_terminal() {
        bail!(
            "cannot perform an interactive login from a non TTY device (use --username and --password-stdin)"
        );
    }
    eprint!("{question}");
    io::stderr().flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let answer = line.trim().to_owned();
    if answer.is_empty() {
        bail!("nothing was typed");
    }
    Ok(answer)
}

/// With the terminal's echo off.
fn unseen<T>(ask: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let Ok(seen) = tcgetattr(io::stdin()) else { return ask() };
    let mut hidden = seen.clone();
    hidden.local_flags.remove(LocalFlags::ECHO);
    tcsetattr(io::stdin(), SetArg::TCSANOW, &hidden).context("cannot hide what is typed")?;
    let answer = ask();
    let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &seen);
    eprintln!();
    answer
}
