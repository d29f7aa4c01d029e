//! What a container costs its host at one moment: one entry of the ledger.

use alloc::{string::String, vec::Vec};
use core::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// The address of the first container on the bridge, where no other network is in the way; the others follow.
pub const FIRST_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 80, 0, 2);

/// Counted from the host, or computed by the simulator. `None` where the host cannot tell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// Live processes.
    pub processes: Option<u64>,
    /// CPU time used since the container was last started.
    pub cpu_seconds: Option<f64>,
    /// Memory that its processes hold for themselves.
    pub memory_bytes: Option<u64>,
    /// Namespaces of its own.
    pub namespaces: Option<u64>,
    /// Mounts in its mount namespace.
    pub mounts: Option<u64>,
    /// Host ports held for it, like `0.0.0.0:8081->80/tcp`.
    pub ports: Vec<String>,
    /// Its address on the bridge.
    pub address: Option<String>,
    /// Bytes in its writable layer.
    pub layer_bytes: Option<u64>,
}

impl Resources {
    /// Nothing at all: what an absent container costs.
    pub fn zero() -> Self {
        Self {
            processes: Some(0),
            cpu_seconds: Some(0.0),
            memory_bytes: Some(0),
            namespaces: Some(0),
            mounts: Some(0),
            ports: Vec::new(),
            address: None,
            layer_bytes: Some(0),
        }
    }
}
