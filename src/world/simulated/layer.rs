//! The layer of one simulated container: what it has written over its image, and what it has taken out of sight.

use std::collections::BTreeMap;
use std::path::Path;

use crate::lab;
use crate::model::{Came, ContainerSpec, FileDeed, Name};

/// Lies over the files of the image, and lasts as long as the container.
#[derive(Clone, Debug, Default)]
pub(super) struct Layer(BTreeMap<String, Mark>);

#[derive(Clone, Debug)]
enum Mark {
    WrittenBy(Name),
    /// A whiteout: what lies below is not seen.
    Gone,
}

impl Layer {
    /// What the process of this container says while it does all this, by root's rights; `below` tells what the image has.
    pub(super) fn undergo(
        &mut self,
        deeds: &[FileDeed],
        (name, spec): (&Name, &ContainerSpec),
        below: impl Fn(&Path) -> bool,
    ) -> String {
        deeds.iter().map(|deed| deed.told(&self.take(deed, (name, spec), &below))).collect()
    }

    fn take(
        &mut self,
        deed: &FileDeed,
        (name, spec): (&Name, &ContainerSpec),
        below: impl Fn(&Path) -> bool,
    ) -> Came {
        let path = deed.path();
        let there = match self.0.get(path) {
            Some(Mark::WrittenBy(name)) => Came::WrittenBy(name.to_string()),
            None if below(Path::new(path)) => Came::AsItCame,
            None | Some(Mark::Gone) => Came::Nothing,
        };
        let mark = match deed {
            FileDeed::Read(_) => return there,
            FileDeed::Delete(_) if there == Came::Nothing => return there,
            FileDeed::Delete(_) => Mark::Gone,
            FileDeed::Write(_) => Mark::WrittenBy(name.clone()),
        };
        if spec.read_only || !lab::is_in_a_directory(Path::new(path)) {
            return Came::Refused;
        }
        self.0.insert(path.to_owned(), mark);
        Came::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(layer: &mut Layer, spec: &ContainerSpec, deeds: &[(&str, &str)]) -> String {
        let deeds: Vec<_> = deeds.iter().map(|(word, path)| FileDeed::of(word, path).unwrap()).collect();
        let image = |path: &Path| path == Path::new("/etc/group");
        layer.undergo(&deeds, (&Name::new("ada").unwrap(), spec), image)
    }

    #[test]
    fn what_is_written_covers_what_is_below_and_what_is_deleted_hides_it() {
        let (mut layer, plain) = (Layer::default(), ContainerSpec::default());
        let deeds = [("read", "/etc/group"), ("write", "/etc/group"), ("read", "/etc/group")];
        assert_eq!(
            said(&mut layer, &plain, &deeds),
            "read /etc/group: as it came\nwrite /etc/group: done\nread /etc/group: written by ada\n"
        );
        let deeds = [("delete", "/etc/group"), ("read", "/etc/group"), ("delete", "/etc/group")];
        assert_eq!(
            said(&mut layer, &plain, &deeds),
            "delete /etc/group: done\nread /etc/group: nothing there\ndelete /etc/group: nothing there\n"
        );
    }

    #[test]
    fn a_read_only_container_and_a_missing_directory_refuse() {
        let sealed = ContainerSpec { read_only: true, ..ContainerSpec::default() };
        let deeds = [("write", "/note"), ("delete", "/etc/group"), ("read", "/etc/group")];
        assert_eq!(
            said(&mut Layer::default(), &sealed, &deeds),
            "write /note: refused\ndelete /etc/group: refused\nread /etc/group: as it came\n"
        );
        let nowhere = said(&mut Layer::default(), &ContainerSpec::default(), &[("write", "/no/note")]);
        assert_eq!(nowhere, "write /no/note: refused\n");
    }
}
