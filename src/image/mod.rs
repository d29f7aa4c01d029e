//! Images: packed once, lived many times. An image is data; a container is its life.
//!
//! In reading order: `reference` and `digest` (what an image is called, by people and by what it is), `manifest`, `config` and
//! `platform` (its documents), `resolve` (what a container is, of what its image says and what was asked for), `layer` (an
//! archive becomes a directory, and the other way round), `store` (where they are kept), `archive` (images in one file),
//! `dockerfile` (how one is described) and `build` (how one is made), `registry` (fetching and sending them).

#[cfg(all(target_os = "linux", feature = "linux"))]
pub mod accounts;
#[cfg(all(target_os = "linux", feature = "linux"))]
pub mod archive;
#[cfg(all(target_os = "linux", feature = "linux"))]
pub mod build;
pub mod config;
pub mod digest;
pub mod dockerfile;
#[cfg(all(target_os = "linux", feature = "linux"))]
pub mod layer;
pub mod manifest;
pub mod platform;
pub mod reference;
#[cfg(all(target_os = "linux", feature = "linux"))]
pub mod registry;
pub mod resolve;
#[cfg(all(target_os = "linux", feature = "linux"))]
pub mod store;

pub use digest::Digest;
pub use reference::Reference;
