//! `terrarium schema`: the format, for editors.

use clap::Args;

use super::written;
use crate::scenario;

/// Print the JSON Schema of scenarios, for editors
#[derive(Args)]
#[command(after_help = "\
Editors that know the YAML language server complete and check a scenario that
begins with this line, after `terrarium schema > schema.json` beside it:
  # yaml-language-server: $schema=schema.json")]
pub(super) struct Schema;

impl Schema {
    #[expect(clippy::unused_self, reason = "every verb performs itself")]
    pub(super) fn perform(&self) -> u8 {
        written("the schema", &format!("{:#}\n", scenario::schema()))
    }
}
