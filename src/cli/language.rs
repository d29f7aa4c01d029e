//! In which language texts are told.

use clap::Args;

#[derive(Args)]
pub(super) struct Language {
    /// The language of the texts, like `en` or `ko` [default: from LANG]
    #[arg(long, value_name = "CODE", help_heading = "How it is told")]
    lang: Option<String>,
}

impl Language {
    /// What was asked for, else what the environment says: `ko` of `ko_KR.UTF-8`.
    pub(super) fn code(&self) -> String {
        self.lang.clone().unwrap_or_else(of_environment)
    }
}

fn of_environment() -> String {
    let set = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let code: String = set.unwrap_or_default().chars().take_while(char::is_ascii_alphabetic).collect();
    if code.is_empty() || code == "C" || code == "POSIX" { "en".into() } else { code }
}
