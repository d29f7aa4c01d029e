//! What root may do in a container of the usual kind.

use crate::story::holds;

#[test]
fn root_inside_may_choose_a_root_directory_and_see_packets_and_nothing_else_that_takes_a_hosts_root() {
    holds(
        r#"
containers:
  web:
    behavior:
      tries: [chroot, raw-socket, mount, host-name, clock, reboot, kernel-module, kernel-log, kernel-setting, user-namespace]
steps:
  - run: web
    expect:
      output: "chroot: done\nraw-socket: done\nmount: refused\nhost-name: refused\nclock: refused\nreboot: refused\nkernel-module: refused\nkernel-log: refused\nkernel-setting: refused\nuser-namespace: refused\n"
"#,
    );
}
