//! Looking after containers that nobody keeps although somebody should: their keeper was killed, or the host went down.

use std::io;
use std::path::Path;

use super::call::{Call, CallError};
use super::{ContainerId, Estate, EstateError};
use crate::engine::journal::{self, Account, Clock as _, HostClock, JournalError};

/// What every command begins with: nobody is left alone whose keeper was killed, or whom it was before the host went down.
pub fn look_after(estate: &Estate) -> Result<(), CallError> {
    after_boot(estate)?;
    for id in estate.sockets()? {
        if !journal::is_kept(&estate.journal(&id)) {
            // What is wrong with one is said when that one is asked for.
            let _ = look(estate, &id);
        }
    }
    Ok(())
}

/// Those whose keeper was killed, and whom nobody has looked after yet. Nothing is made or changed.
pub fn abandoned(root: Option<&Path>) -> Vec<ContainerId> {
    let Ok(estate) = Estate::of(root) else { return Vec::new() };
    let lost = |id: &ContainerId| estate.directory(id).exists() && !journal::is_kept(&estate.journal(id));
    estate.sockets().into_iter().flatten().filter(lost).collect()
}

/// Once in each of the host's lives: lets those come back that are to, as their restart policies say.
fn after_boot(estate: &Estate) -> Result<(), CallError> {
    let boot = HostClock::new().now().boot;
    if estate.last_boot().as_deref() == Some(&boot.to_string()) {
        return Ok(());
    }
    for id in estate.ids()? {
        let Ok(account) = journal::read(&estate.journal(&id)) else { continue };
        let mut host = account.host.clone();
        let _ = host.wake();
        let wants = account.is_gone() || account.host.needs_keeper() || host.needs_keeper();
        if account.latest.boot != boot && wants && !journal::is_kept(&estate.journal(&id)) {
            keep(estate, &id)?;
        }
    }
    Ok(estate.note_boot(&boot.to_string())?)
}

/// What a container's journal tells, after it has been looked after if that was needed; none if it is no more.
pub fn look(estate: &Estate, id: &ContainerId) -> Result<Option<Account>, CallError> {
    let path = estate.journal(id);
    let read = || match journal::read(&path) {
        Err(JournalError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    };
    let account = read()?;
    let alone = match &account {
        None => {
            estate.clear_stillborn(id)?;
            return Ok(read()?);
        }
        Some(account) => (account.is_gone() || account.host.needs_keeper()) && !journal::is_kept(&path),
    };
    if !alone {
        return Ok(account.filter(|account| !account.is_gone()));
    }
    keep(estate, id)?;
    Ok(read()?.filter(|account| !account.is_gone()))
}

/// All containers that there are.
pub fn look_at_all(estate: &Estate) -> Result<Vec<(ContainerId, Account)>, CallError> {
    look_after(estate)?;
    let mut all = Vec::new();
    for id in estate.ids()? {
        if let Some(account) = look(estate, &id)? {
            all.push((id, account));
        }
    }
    Ok(all)
}

/// Whoever has a name, or had it when its keeper was killed.
pub(super) fn settle_owner(estate: &Estate, name: &str) -> Result<(), CallError> {
    estate.owner(name).map_or(Ok(()), |id| look(estate, &id).map(drop))
}

/// A new keeper has done all that was due when it says welcome, and may leave again at once.
fn keep(estate: &Estate, id: &ContainerId) -> Result<(), CallError> {
    match Call::to(estate, id) {
        Err(CallError::Estate(EstateError::NoSuchContainer(_))) => Ok(()),
        result => result.map(drop),
    }
}
