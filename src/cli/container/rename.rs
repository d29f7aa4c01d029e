//! `terrarium rename`: gives a container another name.

use clap::Args;

use super::super::{BAD, Globals, complain};
use super::each::tell_each;
use super::{estate, name};
use crate::keeper::settle_owner;
use crate::model::{Name, Verb};

/// Give a container another name
#[derive(Args)]
pub(in super::super) struct Rename {
    /// The container
    container: String,

    /// Its name from now on
    #[arg(value_name = "NEW_NAME", value_parser = name)]
    to: Name,
}

impl Rename {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        let settled = estate(globals).and_then(|estate| settle_owner(&estate, &self.to));
        if let Err(error) = settled {
            complain(&error);
            return BAD;
        }
        let rename = Verb::Rename { to: self.to.clone() };
        tell_each(globals, std::slice::from_ref(&self.container), &rename, |_, _| String::new())
    }
}
