//! The documents of an image: a manifest names a configuration and layers, an index names manifests for several platforms.
//!
//! Both kinds of media types are read, OCI's and Docker's; OCI's are written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::platform::Platform;

/// OCI's manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// OCI's index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// OCI's configuration.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// OCI's layer, as it is.
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// OCI's layer, packed by gzip.
pub const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// OCI's layer, packed by zstd.
pub const LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
/// Docker's manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's index.
pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Which blob, of which kind, how large.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What is in it.
    pub media_type: String,
    /// What it is called.
    pub digest: Digest,
    /// How many bytes it has.
    pub size: u64,
    /// What else is said of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
}

impl Descriptor {
    /// A blob without anything special.
    pub fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        Self { media_type: media_type.into(), digest, size, annotations: BTreeMap::new(), platform: None }
    }

    /// Whether it is an index.
    pub fn is_index(&self) -> bool {
        matches!(self.media_type.as_str(), INDEX | DOCKER_INDEX)
    }
}

/// One image for one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// Which kind of document this is; older writers leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The configuration.
    pub config: Descriptor,
    /// The layers, the lowest first.
    pub layers: Vec<Descriptor>,
    /// What else is said of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// An image of ours.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        let annotations = BTreeMap::new();
        Self { schema_version: 2, media_type: Some(MANIFEST.into()), config, layers, annotations }
    }

    /// Its kind, said or guessed.
    pub fn kind(&self) -> &str {
        self.media_type.as_deref().unwrap_or(MANIFEST)
    }
}

/// The same image for several platforms, or all images of a layout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// Which kind of document this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The manifests.
    pub manifests: Vec<Descriptor>,
}

impl Index {
    /// Of these.
    pub fn new(manifests: Vec<Descriptor>) -> Self {
        Self { schema_version: 2, media_type: Some(INDEX.into()), manifests }
    }

    /// The manifest for a platform; what says nothing of its platform is for any.
    pub fn for_platform(&self, platform: &Platform) -> Option<&Descriptor> {
        let fits = |found: &&Descriptor| found.platform.as_ref().is_none_or(|of| of.fits(platform));
        let exactly = |found: &&Descriptor| found.platform.as_ref() == Some(platform);
        self.manifests.iter().find(exactly).or_else(|| self.manifests.iter().find(fits))
    }

    /// The platforms that it has something for.
    pub fn platforms(&self) -> Vec<String> {
        self.manifests.iter().filter_map(|found| Some(found.platform.as_ref()?.to_string())).collect()
    }
}
