//! A bundle, turned into operations before anything happens: whatever can be wrong with it is found out here, where there
//! is still an allocator to make a sentence with.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::net::Ipv4Addr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use oci_spec::runtime::{Linux, Process, Spec};

use super::bundle::{Bundle, BundleError};
use super::init::Program;
use super::inside::Place;
use super::operation::{Action, Operation};
use super::seccomp::Filter;
use super::steps::Step;
use super::sys::StringList;
use super::{ids, isolation, mounts, root};

/// All that the child needs to know.
pub(super) struct Plan {
    pub(super) operations: Vec<Operation>,
    /// Namespaces that the clone makes.
    pub(super) clone_flags: u64,
    /// How many mount trees are taken from the host.
    pub(super) trees: usize,
    pub(super) program: Program,
    pub(super) program_name: String,
}

/// What the plan depends on beside the bundle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surroundings {
    /// Whether the parent has to do something after the clone that later steps need.
    pub(super) keeper_has_work: bool,
    /// Whether there is a unified hierarchy, which the container may look at.
    pub(super) unified_hierarchy: bool,
    /// An address for its loopback interface.
    pub(super) address: Option<Ipv4Addr>,
}

/// A plan in the making.
#[derive(Default)]
pub(super) struct Draft {
    operations: Vec<Operation>,
    directories: BTreeSet<PathBuf>,
    trees: usize,
}

impl Plan {
    pub(super) fn of(bundle: &Bundle, around: Surroundings) -> Result<Self, BundleError> {
        let spec = &bundle.spec;
        let process = spec.process().as_ref().ok_or(BundleError::Missing("process"))?;
        let linux = spec.linux().as_ref().ok_or(BundleError::Missing("linux section"))?;
        refuse_unsupported(spec, process, linux)?;
        let clone_flags = isolation::clone_flags(linux)?;

        let mut draft = Draft::default();
        draft.add(Step::DeathSignal, "itself", Action::DieWithParent);
        isolation::join(&mut draft, linux)?;
        draft.add(Step::Descriptors, "its descriptors", Action::PlaceDescriptors);
        draft.add(Step::ResetSignals, "itself", Action::ResetSignals);
        if around.keeper_has_work {
            draft.add(Step::AwaitKeeper, "its keeper", Action::AwaitKeeper);
        }
        isolation::isolate(&mut draft, spec, process, linux, around.address)?;
        root::make_private(&mut draft);
        let trees = mounts::prepare(&mut draft, spec, linux, around)?;
        root::change(&mut draft, &bundle.root, linux)?;
        mounts::attach(&mut draft, linux, &trees)?;
        mounts::protect(&mut draft, linux)?;
        mounts::protect_root(&mut draft, spec);
        draft.enter(process)?;
        ids::change(&mut draft, process, linux)?;
        draft.add(Step::DeathSignalAgain, "itself", Action::DieWithParent);
        // Nobody else is in its pid namespace yet who could look at what it still has of its keeper's.
        if isolation::has_user_namespace(linux) {
            draft.add(Step::Visible, "its memory", Action::ShowMemory);
        }
        draft.filter_calls(linux)?;

        let (program, program_name) = program(process)?;
        let Draft { operations, trees, .. } = draft;
        Ok(Self { operations, clone_flags, trees, program, program_name })
    }
}

impl Draft {
    pub(super) fn add(&mut self, step: Step, subject: impl Into<String>, action: Action) {
        self.operations.push(Operation { step, subject: subject.into(), action });
    }

    /// Makes `path` and what is missing on the way to it, once.
    pub(super) fn make_directories(&mut self, step: Step, path: &Path) -> Result<(), BundleError> {
        // The root has no name, and `..` is there already.
        let mut ways: Vec<&Path> = path.ancestors().filter(|way| way.file_name().is_some()).collect();
        ways.reverse();
        for way in ways {
            if self.directories.insert(way.to_path_buf()) {
                self.add(step, way.display().to_string(), Action::MakeDirectory(Place::of(way)?));
            }
        }
        Ok(())
    }

    /// The number of a mount tree.
    pub(super) fn new_tree(&mut self) -> usize {
        self.trees += 1;
        self.trees - 1
    }

    pub(super) fn operations(self) -> Vec<Operation> {
        self.operations
    }

    fn enter(&mut self, process: &Process) -> Result<(), BundleError> {
        let directory = process.cwd();
        self.make_directories(Step::WorkingDirectory, directory)?;
        let change = Action::ChangeDirectory(c_path(directory)?);
        self.add(Step::WorkingDirectory, directory.display().to_string(), change);
        Ok(())
    }

    /// The last of all operations.
    pub(super) fn filter_calls(&mut self, linux: &Linux) -> Result<(), BundleError> {
        if let Some(seccomp) = linux.seccomp() {
            self.add(Step::CallFilter, "itself", Action::FilterCalls(Filter::of(seccomp)?));
        }
        Ok(())
    }
}

pub(super) fn c_path(path: &Path) -> Result<CString, BundleError> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

/// What would change how well a container is closed off, and is not known here, is refused rather than left out.
fn refuse_unsupported(spec: &Spec, process: &Process, linux: &Linux) -> Result<(), BundleError> {
    let unsupported = [
        ("hooks", spec.hooks().is_some()),
        ("an AppArmor profile", process.apparmor_profile().is_some()),
        ("an SELinux label", process.selinux_label().is_some() || linux.mount_label().is_some()),
        (
            "devices of its own without root",
            isolation::has_user_namespace(linux)
                && linux.devices().as_ref().is_some_and(|devices| !devices.is_empty()),
        ),
        ("shared mounts", linux.rootfs_propagation().as_ref().is_some_and(|kind| !kind.ends_with("private"))),
    ];
    match unsupported.into_iter().find(|(_, asked)| *asked) {
        Some((what, _)) => Err(BundleError::Unsupported(what.to_owned())),
        None => Ok(()),
    }
}

/// The program, and what it is called in errors.
pub(super) fn program(process: &Process) -> Result<(Program, String), BundleError> {
    let arguments = process.args().as_deref().unwrap_or_default();
    let environment = process.env().as_deref().unwrap_or_default();
    let name = arguments.first().ok_or(BundleError::Missing("program to run (process.args)"))?;
    let path = environment.iter().find_map(|variable| variable.strip_prefix("PATH=")).unwrap_or_default();
    let candidates = if name.contains('/') {
        vec![CString::new(name.as_str())?]
    } else {
        let directories = path.split(':').filter(|directory| !directory.is_empty() && !name.is_empty());
        directories.map(|directory| CString::new(format!("{directory}/{name}"))).collect::<Result<_, _>>()?
    };
    let strings = |texts: &[String]| -> Result<StringList, BundleError> {
        let strings = texts.iter().map(|text| CString::new(text.as_str())).collect::<Result<_, _>>()?;
        Ok(StringList::new(strings))
    };
    let program = Program { candidates, arguments: strings(arguments)?, environment: strings(environment)? };
    Ok((program, name.clone()))
}
