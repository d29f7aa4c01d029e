//! Everybody there is: each container with what its journal comes to.

use std::path::PathBuf;

use super::estate::{Estate, EstateError};
use super::id::{ContainerId, is_hex};
use super::{CallError, look};
use crate::engine::journal::{self, Account};
use crate::model::{Name, State};

/// A container, and what its journal comes to.
#[derive(Clone, Debug)]
pub struct Resident {
    /// Its number.
    pub id: ContainerId,
    /// What its journal comes to.
    pub account: Account,
}

/// All containers.
#[derive(Debug, Default)]
pub struct Census {
    /// The youngest first.
    pub residents: Vec<Resident>,
    /// Those whose journal cannot be read, and why.
    pub unreadable: Vec<CallError>,
}

/// With so many it is worth to read with two threads.
const MANY: usize = 64;

impl Estate {
    /// Everybody who has come to be and is still there.
    pub fn census(&self) -> Result<Census, EstateError> {
        let ids = self.ids()?;
        let mut census = if ids.len() < MANY {
            self.read_all(&ids)
        } else {
            let (one, other) = ids.split_at(ids.len() / 2);
            std::thread::scope(|scope| {
                let beside = scope.spawn(|| self.read_all(other));
                let mut census = self.read_all(one);
                if let Ok(more) = beside.join() {
                    census.residents.extend(more.residents);
                    census.unreadable.extend(more.unreadable);
                }
                census
            })
        };
        census.residents.sort_by_key(|resident| std::cmp::Reverse(resident.account.opened.wall));
        Ok(census)
    }

    fn read_all(&self, ids: &[ContainerId]) -> Census {
        let mut census = Census::default();
        for id in ids {
            match look(self, id) {
                Ok(Some(account)) if has_come_to_be(&account) => {
                    census.residents.push(Resident { id: id.clone(), account });
                }
                Ok(_) => {}
                Err(error) => census.unreadable.push(error),
            }
        }
        census
    }

    /// Whoever is meant, be it that it is gone: then by its id, or by its last name if nobody else has that now.
    pub fn recall(&self, word: &str) -> Result<Resident, CallError> {
        let missing = match self.resident(word) {
            Err(error @ CallError::Estate(EstateError::NoSuchContainer(_))) => error,
            result => return result,
        };
        let mut gone: Vec<Resident> = self.gone()?;
        gone.retain(|resident| {
            let name = resident.account.name.as_ref().map(Name::as_str);
            name == Some(word) || (is_hex(word) && resident.id.as_str().starts_with(word))
        });
        gone.into_iter().max_by_key(|resident| resident.account.latest.wall).ok_or(missing)
    }

    /// What a container's journal tells at this moment, be it that it is gone; nobody looks after it.
    pub fn told_of(&self, id: &ContainerId) -> Option<Account> {
        let past = self.data().join("past").join(id.as_str());
        [self.journal(id), past].iter().find_map(|path| journal::read(path).ok())
    }

    /// The names that there are, as far as one can see at a glance.
    pub fn names(&self) -> Vec<String> {
        let links = std::fs::read_dir(self.data().join("names")).into_iter().flatten().flatten();
        links.filter_map(|link| link.file_name().into_string().ok()).collect()
    }

    /// Those that are gone and can still be told of.
    pub fn gone(&self) -> Result<Vec<Resident>, EstateError> {
        let read =
            |(id, path): (ContainerId, PathBuf)| Some(Resident { id, account: journal::read(&path).ok()? });
        Ok(self.past()?.into_iter().filter_map(read).collect())
    }

    /// What a container's journal comes to, once it has been looked after.
    pub fn account(&self, id: &ContainerId) -> Result<Account, CallError> {
        let gone = || EstateError::NoSuchContainer(id.short().into());
        Ok(look(self, id)?.ok_or_else(gone)?)
    }

    /// Whoever is meant by a name, an id, or the beginning of one.
    pub fn resident(&self, word: &str) -> Result<Resident, CallError> {
        let gone = || EstateError::NoSuchContainer(word.into());
        let id = self.find(word)?;
        let account = look(self, &id)?.filter(has_come_to_be).ok_or_else(gone)?;
        Ok(Resident { id, account })
    }
}

/// Docker shows nobody who is being made.
fn has_come_to_be(account: &Account) -> bool {
    !matches!(account.status().state, State::Absent | State::Creating)
}
