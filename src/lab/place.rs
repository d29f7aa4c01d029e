//! What the lab image has beside its program: one list, from which it is assembled and by which the simulator knows it.

use std::path::Path;

use super::COMMANDS;

/// Files, and what stands in them.
pub(super) const PASSWD: (&str, &str) = ("/etc/passwd", "root:x:0:0:root:/root:/bin/false\n");
pub(super) const GROUP: (&str, &str) = ("/etc/group", "root:x:0:\n");

/// Directories and their modes, each after the one that it lies in.
pub(super) const DIRECTORIES: [(&str, u32); 11] = [
    ("/bin", 0o755),
    ("/dev", 0o755),
    ("/etc", 0o755),
    ("/proc", 0o555),
    ("/root", 0o700),
    ("/run", 0o755),
    ("/sys", 0o555),
    ("/tmp", 0o1777),
    ("/var", 0o755),
    ("/var/tmp", 0o1777),
    ("/usr", 0o755),
];

/// Whether the image has such a file.
pub fn has(path: &Path) -> bool {
    let command = path.strip_prefix("/bin").ok().and_then(Path::to_str);
    [PASSWD.0, GROUP.0].map(Path::new).contains(&path)
        || command.is_some_and(|command| COMMANDS.contains(&command))
}

/// Whether the directory of this file is one of the image.
pub fn is_in_a_directory(path: &Path) -> bool {
    path.parent().is_some_and(|parent| {
        parent == Path::new("/") || DIRECTORIES.iter().any(|(directory, _)| parent == Path::new(directory))
    })
}
