//! The same once more, in containers of an ordinary user.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::unistd::geteuid;

use crate::stage::{new_directory, while_writing_programs};

/// Nobody in particular: no entry in /etc/passwd is needed.
const USER: u32 = 65_534;

#[test]
fn nobody_gets_out_of_a_users_container_either() {
    if !geteuid().is_root() {
        println!("skipped: becoming an ordinary user, this is one");
        return;
    }
    let directory = new_directory();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    let program = directory.path().join("escapes");
    while_writing_programs(|| fs::copy(std::env::current_exe().unwrap(), &program)).unwrap();
    let output = Command::new(program).current_dir("/").uid(USER).gid(USER).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
}
