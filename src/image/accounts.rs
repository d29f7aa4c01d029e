//! Who `user[:group]` is, by an image's own `/etc/passwd` and `/etc/group`.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use thiserror::Error;

use super::layer::Merged;

/// A user of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// Other groups.
    pub groups: Vec<u32>,
    /// Where the user is at home.
    pub home: Option<String>,
}

/// There is no such user.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "unable to find {kind} {name}: no matching entries in {file} of the image (use a number, or make it with RUN)"
)]
pub struct NoSuchAccount {
    kind: &'static str,
    name: String,
    file: &'static str,
}

/// No such file of any use is larger.
const LARGEST: u64 = 1 << 20;

/// Looks a user up in what a container would see.
pub fn account(root: &Merged, text: &str) -> Result<Account, NoSuchAccount> {
    let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
    let user = if user.is_empty() { "0" } else { user };
    let passwd = read(root, "etc/passwd");
    let entry =
        passwd.lines().map(fields).find(|entry| entry.first() == Some(&user) || entry.get(2) == Some(&user));
    let number = |entry: &[&str], at: usize| entry.get(at).and_then(|field| field.parse::<u32>().ok());
    let missing = |kind, name: &str, file| NoSuchAccount { kind, name: name.into(), file };
    let mut account = if let Some(entry) = &entry {
        Account {
            uid: number(entry, 2).ok_or_else(|| missing("user", user, "/etc/passwd"))?,
            gid: number(entry, 3).unwrap_or(0),
            groups: Vec::new(),
            home: entry.get(5).filter(|home| !home.is_empty()).map(|home| (*home).to_owned()),
        }
    } else {
        let uid = user.parse().map_err(|_| missing("user", user, "/etc/passwd"))?;
        Account { uid, ..Account::default() }
    };
    let groups = read(root, "etc/group");
    if let Some(group) = group {
        let entry = groups.lines().map(fields).find(|entry| entry.first() == Some(&group));
        let found = entry.and_then(|entry| number(&entry, 2)).or_else(|| group.parse().ok());
        account.gid = found.ok_or_else(|| missing("group", group, "/etc/group"))?;
    } else if let Some(name) = entry.as_ref().and_then(|entry| entry.first()) {
        let member =
            |entry: &Vec<&str>| entry.get(3).is_some_and(|list| list.split(',').any(|one| one == *name));
        account.groups =
            groups.lines().map(fields).filter(member).filter_map(|entry| number(&entry, 2)).collect();
    }
    Ok(account)
}

fn fields(line: &str) -> Vec<&str> {
    line.split(':').collect()
}

fn read(root: &Merged, path: &str) -> String {
    let mut text = String::new();
    if let Ok(Some(found)) = root.find(Path::new(path))
        && found.host().is_file()
        && let Ok(file) = File::open(found.host())
    {
        let _ = file.take(LARGEST).read_to_string(&mut text);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name_and_by_number() {
        let desk = tempfile::tempdir().unwrap();
        std::fs::create_dir(desk.path().join("etc")).unwrap();
        std::fs::write(
            desk.path().join("etc/passwd"),
            "root:x:0:0::/root:/bin/sh\nweb:x:33:44::/srv:/bin/sh\n",
        )
        .unwrap();
        std::fs::write(desk.path().join("etc/group"), "root:x:0:\nlogs:x:50:web,other\nhttp:x:44:\n")
            .unwrap();
        let root = Merged::new(vec![desk.path().into()]);
        let found = |text: &str| account(&root, text).map(|found| (found.uid, found.gid, found.groups)).ok();
        assert_eq!(found("web"), Some((33, 44, vec![50])));
        assert_eq!(found("33"), Some((33, 44, vec![50])));
        assert_eq!(found("web:logs"), Some((33, 50, vec![])));
        assert_eq!(found("1000"), Some((1000, 0, vec![])));
        assert_eq!(found("1000:7"), Some((1000, 7, vec![])));
        assert_eq!(found(""), Some((0, 0, vec![])));
        assert_eq!(account(&root, "web").unwrap().home.as_deref(), Some("/srv"));
        let error = account(&root, "nobody").unwrap_err().to_string();
        assert!(
            error.starts_with("unable to find user nobody: no matching entries in /etc/passwd"),
            "{error}"
        );
        assert!(account(&root, "web:none").is_err());
    }
}
