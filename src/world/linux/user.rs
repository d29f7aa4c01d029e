//! Who a container's user is: `user[:group]`, by name or number, looked up in the image's own lists.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::PathBuf;

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use oci_spec::runtime::User;
use thiserror::Error;

/// A user or group that is in no list of the image.
#[derive(Debug, Error)]
#[error(
    "unable to find {what} {name}: no matching entries in {file} of the image (use a number, or add it to the image)"
)]
pub(super) struct NoSuchUser {
    what: &'static str,
    name: String,
    file: &'static str,
}

/// More than any list of users needs.
const LIMIT: u64 = 4 << 20;

/// A user of an image.
#[derive(Debug)]
pub(super) struct Account {
    /// Its ids.
    pub(super) user: User,
    /// Its home directory.
    pub(super) home: String,
}

/// Whoever is not said to be another is root.
const ROOT: &str = "0";

/// Looks a user up; `layers` hold the image, the topmost first.
pub(super) fn resolve(wanted: Option<&str>, layers: &[PathBuf]) -> Result<Account, NoSuchUser> {
    let wanted = wanted.filter(|wanted| !wanted.is_empty()).unwrap_or(ROOT);
    let (user, group) = wanted.split_once(':').map_or((wanted, None), |(user, group)| (user, Some(group)));
    let passwd = read(layers, "etc/passwd");
    let groups = read(layers, "etc/group");
    // Name, password, user, group, and what else there is.
    let entry = rows(&passwd).find(|row| row.first() == Some(&user) || row.get(2) == Some(&user));
    let listed = |nth: usize| entry.as_ref().and_then(|row| row.get(nth)?.parse().ok());
    let uid = listed(2).or_else(|| user.parse().ok()).or_else(|| user.is_empty().then_some(0));
    let uid = uid.ok_or_else(|| NoSuchUser { what: "user", name: user.to_owned(), file: "passwd" })?;
    let gid = match group.filter(|group| !group.is_empty()) {
        None => listed(3).unwrap_or(0),
        Some(group) => {
            let row = rows(&groups).find(|row| row.first() == Some(&group));
            let found = row.and_then(|row| row.get(2)?.parse().ok()).or_else(|| group.parse().ok());
            found.ok_or_else(|| NoSuchUser { what: "group", name: group.to_owned(), file: "group" })?
        }
    };
    let mut resolved = User::default();
    resolved.set_uid(uid).set_gid(gid);
    let mut all = vec![gid];
    // Whose group is given belongs to no other.
    if let (None, Some(name)) = (group, entry.as_ref().and_then(|row| row.first())) {
        let member = |row: &Vec<&str>| {
            row.get(3).is_some_and(|members| members.split(',').any(|member| member == *name))
        };
        let others = rows(&groups).filter(member).filter_map(|row| row.get(2)?.parse().ok());
        all.extend(others.filter(|other: &u32| *other != gid));
    }
    resolved.set_additional_gids(Some(all));
    let home = entry.and_then(|row| row.get(5).map(ToString::to_string)).filter(|home| !home.is_empty());
    Ok(Account { user: resolved, home: home.unwrap_or_else(|| "/".into()) })
}

fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().map(|line| line.split(':').collect())
}

/// The file of the topmost layer that has it. No link of a layer leads out of it.
fn read(layers: &[PathBuf], path: &str) -> String {
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let found = layers.iter().find_map(|layer| {
        let layer = File::open(layer).ok()?;
        let file = File::from(openat2(layer.as_fd(), path, how).ok()?);
        file.metadata().is_ok_and(|found| found.is_file()).then_some(file)
    });
    let mut text = Vec::new();
    if let Some(file) = found {
        // What cannot be read names nobody.
        let _ = file.take(LIMIT).read_to_end(&mut text);
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn image() -> (tempfile::TempDir, Vec<PathBuf>) {
        let directory = tempfile::tempdir().unwrap();
        let [upper, lower] = ["upper", "lower"].map(|name| directory.path().join(name));
        fs::create_dir_all(lower.join("etc")).unwrap();
        fs::create_dir(&upper).unwrap();
        fs::write(lower.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/srv:/bin/sh\n")
            .unwrap();
        fs::write(lower.join("etc/group"), "root:x:0:\nwww:x:34:\nlogs:x:40:root,web\n").unwrap();
        (directory, vec![upper, lower])
    }

    fn ids(wanted: &str) -> (u32, u32, Option<Vec<u32>>) {
        let (_directory, layers) = image();
        let user = resolve(Some(wanted), &layers).unwrap().user;
        (user.uid(), user.gid(), user.additional_gids().clone())
    }

    #[test]
    fn everybody_has_a_home() {
        let (_directory, layers) = image();
        let home = |wanted| resolve(wanted, &layers).unwrap().home;
        assert_eq!([None, Some("web"), Some("1000")].map(home), ["/root", "/srv", "/"]);
    }

    #[test]
    fn a_user_is_a_name_or_a_number_with_or_without_a_group() {
        assert_eq!(ids("web"), (33, 34, Some(vec![34, 40])));
        assert_eq!(ids("33"), (33, 34, Some(vec![34, 40])));
        assert_eq!(ids("web:root"), (33, 0, Some(vec![0])));
        assert_eq!(ids("1000:1001"), (1000, 1001, Some(vec![1001])));
        assert_eq!(ids("1000"), (1000, 0, Some(vec![0])));
    }

    #[test]
    fn who_is_in_no_list_is_named() {
        let (_directory, layers) = image();
        let said = |wanted| resolve(Some(wanted), &layers).unwrap_err().to_string();
        assert!(said("nobody").starts_with("unable to find user nobody: no matching entries in passwd"));
        assert!(
            said("web:nogroup").starts_with("unable to find group nogroup: no matching entries in group")
        );
    }

    #[test]
    fn a_list_is_looked_up_in_the_image_and_not_on_the_host() {
        let (_directory, layers) = image();
        fs::create_dir(layers[0].join("etc")).unwrap();
        symlink("/etc/passwd", layers[0].join("etc/link")).unwrap();
        symlink("../../../../../../etc/hostname", layers[0].join("etc/passwd")).unwrap();
        // The upper layer's link leads nowhere in it, and the lower layer has the file.
        assert_eq!(resolve(Some("web"), &layers).unwrap().user.uid(), 33);
        assert_eq!(read(&layers, "etc/link"), "");
    }
}
