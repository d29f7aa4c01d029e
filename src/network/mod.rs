//! A container's way to the world: ports of the host that lead to ports of the container.
//!
//! Publishing takes three things. A [`Claim`] is a port of the host: who listens there has it, and nobody else can. A
//! [`SocketMaker`](crate::runtime::SocketMaker) makes sockets inside the container's network. A [`Relay`] accepts on the claims,
//! connects to the container's own address, and moves bytes both ways, in the caller's event loop: its one descriptor
//! becomes readable when there is something to do, and [`Relay::turn`] does it.

mod bridge;
mod claim;
mod datagram;
mod etc;
mod flow;
mod link;
mod masquerade;
mod netlink;
mod outlet;
mod register;
mod relay;

pub use bridge::{Bridge, BridgeError, Port, clear_leftovers, leftovers, unplug_lost, usual_address};
pub use claim::{Claim, ClaimError};
pub use etc::Etc;
pub use masquerade::{WayOut, way_out};
pub use outlet::{Carrier, NAME_SERVER, Outlet, OutletError};
pub use relay::{Relay, RelayError};
