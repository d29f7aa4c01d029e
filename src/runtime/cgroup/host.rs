//! Finding a host's hierarchies: by what is mounted, never by well-known paths.

use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access, geteuid};

use super::controller::{self, Controller, Lack, Place};
use super::{Layout, Mounted};

/// What /proc says about the host.
pub(super) struct Host {
    mounts: String,
    own: String,
}

impl Host {
    pub(super) fn read() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self { mounts: read("/proc/self/mountinfo"), own: read("/proc/self/cgroup") }
    }

    pub(super) fn unified_mounted(&self) -> Mounted {
        if self.mount_point("cgroup2", None).is_some() { Mounted::Yes } else { Mounted::No }
    }

    pub(super) fn v2(&self) -> Option<Layout> {
        let base = self.base("cgroup2", None)?;
        Some(Layout::V2 { base })
    }

    pub(super) fn v1(&self) -> Option<Layout> {
        let freezer = self.base("cgroup", Some("freezer"))?;
        Some(Layout::V1 { freezer, cpuacct: self.base("cgroup", Some("cpuacct")) })
    }

    /// Where a controller can be used by containers whose home is in `layout`.
    pub(super) fn place(&self, controller: Controller, layout: &Layout) -> Result<Place, Lack> {
        if let Layout::V2 { base } = layout
            && controller::has(base, controller)
        {
            let able = controller::can_make_room(base);
            return able.then(|| Place::Unified(base.clone())).ok_or(Lack::Occupied);
        }
        let name = controller.name();
        if let Some(base) = self.base("cgroup", Some(name)) {
            return Ok(Place::V1(base));
        }
        let unified = self.mount_point("cgroup2", None);
        let is_there = self.mount_point("cgroup", Some(name)).is_some()
            || unified.is_some_and(|(top, _)| controller::has(&top, controller));
        Err(if is_there { Lack::NotDelegated } else { Lack::Missing })
    }

    /// Where this process may make cgroups: root at the top of the hierarchy, others beneath their own cgroup, if that has
    /// been handed to them.
    fn base(&self, kind: &str, controller: Option<&str>) -> Option<PathBuf> {
        let (mount_point, mount_root) = self.mount_point(kind, controller)?;
        let base = if geteuid().is_root() {
            mount_point
        } else {
            let own = self.own_path(controller)?;
            let beneath = Path::new(own).strip_prefix(&mount_root).ok()?;
            let base = mount_point.join(beneath);
            if base.ends_with(controller::ASIDE) { base.parent()?.to_path_buf() } else { base }
        };
        let writable = |path: &Path| access(path, AccessFlags::W_OK).is_ok();
        (writable(&base) && writable(&base.join("cgroup.procs"))).then_some(base)
    }

    /// Where a hierarchy is mounted, and which of its directories is.
    fn mount_point(&self, kind: &str, controller: Option<&str>) -> Option<(PathBuf, String)> {
        self.mounts.lines().find_map(|line| {
            let (place, file_system) = line.split_once(" - ")?;
            let mut file_system = file_system.split(' ');
            if file_system.next() != Some(kind) {
                return None;
            }
            let options = file_system.nth(1)?;
            if controller.is_some_and(|name| !options.split(',').any(|option| option == name)) {
                return None;
            }
            let mut place = place.split(' ').skip(3);
            let root = unescaped(place.next()?);
            Some((PathBuf::from(unescaped(place.next()?)), root))
        })
    }

    /// This process's cgroup in one hierarchy.
    fn own_path(&self, controller: Option<&str>) -> Option<&str> {
        self.own.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, path) = (fields.next()?, fields.next()?);
            let matches = match controller {
                Some(name) => controllers.split(',').any(|each| each == name),
                None => controllers.is_empty(),
            };
            matches.then_some(path)
        })
    }
}

/// A path as mountinfo writes it: blanks and backslashes are octal.
fn unescaped(field: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(field.to_owned(), |text, (code, plain)| text.replace(code, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
        23 27 0:22 / /sys rw,relatime - sysfs sysfs rw\n\
        33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n\
        37 31 0:34 / /sys/fs/my\\040cgroup/freezer rw,relatime shared:9 - cgroup cgroup rw,freezer\n\
        41 31 0:38 /user /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
    const OWN: &str = "9:name=systemd:/\n6:freezer:/f\n2:cpu,cpuacct:/c\n0::/user/app.scope\n";

    fn hybrid() -> Host {
        Host { mounts: HYBRID.to_owned(), own: OWN.to_owned() }
    }

    #[test]
    fn hierarchies_are_found_by_their_type_and_not_by_their_path() {
        let host = hybrid();
        let found = |kind, controller| host.mount_point(kind, controller);
        assert_eq!(found("cgroup2", None), Some(("/sys/fs/cgroup/unified".into(), "/user".to_owned())));
        assert_eq!(
            found("cgroup", Some("freezer")),
            Some(("/sys/fs/my cgroup/freezer".into(), "/".to_owned()))
        );
        assert_eq!(found("cgroup", Some("cpuacct")), Some(("/sys/fs/cgroup/cpuacct".into(), "/".to_owned())));
        assert_eq!(found("cgroup", Some("memory")), None);
    }

    #[test]
    fn the_own_cgroup_is_read_hierarchy_by_hierarchy() {
        let host = hybrid();
        assert_eq!(host.own_path(None), Some("/user/app.scope"));
        assert_eq!(host.own_path(Some("cpuacct")), Some("/c"));
    }
}
