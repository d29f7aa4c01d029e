//! The runtime: an OCI bundle in, a process out.
//!
//! A container is a process that was set up before its program began. So the verbs are few, and each is a few system
//! calls:
//!
//! 1. [`create()`] clones a child into new namespaces and into its cgroup. The child sets itself up, by a list of
//!    [`steps()`] whose order is the security argument, and parks just before execve.
//! 2. [`Container::start`] says one word to the parked child, which then executes the program.
//! 3. [`Container::kill`], [`pause`](Container::pause) and [`resume`](Container::resume) reach the process by its pidfd
//!    and its cgroup. [`limit`](Container::limit) changes what it may use.
//! 4. [`Container::exec`] brings one more process in.
//! 5. [`Container::reap`] tells how it ended, and [`Container::delete`] removes what is left on the host.
//!
//! Nothing here waits: what takes time is told by descriptors that an event loop can poll ([`Container::status_fd`],
//! [`Container::pidfd`], [`Container::freeze_event_fd`], [`Container::oom_event_fd`]). [`Cgroups::detect`] and [`probe()`]
//! tell what a host can do.
//!
//! The files, in the order in which a container is set up: `bundle` and `default_spec` say what is wanted, `steps` lists
//! what will be done, `plan` prepares it (`isolation`, `root`, `mounts`, `ids`, each an `operation` or several), `resources`
//! reads its limits, `create` clones, `init` walks through the plan in the child, `message` is what it tells its keeper, and
//! `container` is what the keeper holds, with `cgroup`, `freeze` and `processes`. `enter` and `exec` are the same for one more
//! process: what it does, and what the keeper holds of it; `sockets` reaches into its network, `networks` into all those of a user, and a `companion` of the host's
//! may work for it. `lent` knows which ids a user may map, and `removal` removes what those have made. All `unsafe` is in `sys`.

mod bundle;
mod cgroup;
mod companion;
mod container;
mod create;
mod default_spec;
mod descriptors;
mod ending;
mod enter;
mod exec;
mod freeze;
mod ids;
mod init;
mod inside;
mod isolation;
mod lent;
mod message;
mod mounts;
mod networks;
mod operation;
mod plan;
mod probe;
mod processes;
mod removal;
mod resources;
mod root;
mod seccomp;
mod sockets;
mod steps;
mod superuser;
mod sys;

pub use bundle::{Bundle, BundleError, CreateOptions, Durability, Root, Stdio};
pub use cgroup::{CgroupError, Cgroups, Controller, Freezer, Lack, LimitError, Limits, NoSuchFreezer, Swap};
pub use companion::Companion;
pub use container::{Container, ControlError, DeleteError};
pub use create::{CreateError, create};
pub use default_spec::{Isolation, default_spec};
pub use descriptors::DescriptorError;
pub use ending::ExitStatus;
pub use exec::{EnterError, Exec, ExecControlError, ExecCreateError, ExecOptions, ExecProgress};
pub use ids::{MapError, capabilities};
pub use lent::{LentIds, NotLent, lent_ids};
pub use message::{ExecError, Progress};
pub use networks::{new_network, route_socket_in};
pub use probe::{Found, ProbeError, probe};
pub use processes::companions;
pub use removal::remove_all;
pub use root::clear_work;
pub use seccomp::{ProfileError, default_seccomp, seccomp_from_json};
pub use sockets::{Made, SocketKind, SocketMaker, SocketMakerError};
pub use steps::{Step, StepError, steps};
pub use superuser::{become_superuser, is_root_of_the_host};
pub use sys::{accept, close_from, give_memory_back, receive, set_window_size, window_size};
