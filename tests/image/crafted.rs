//! Archives made by hand, so that they can say what no honest program writes.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use tar::{EntryType, Header};
use terrarium::image::Digest;
use terrarium::image::config::ImageConfig;
use terrarium::image::layer::{LayerError, Limits, Tally, gzip, unpack};

/// An archive in the making.
#[derive(Clone, Default)]
pub(crate) struct Crafted {
    bytes: Vec<u8>,
}

impl Crafted {
    pub(crate) fn file(self, name: &str, content: &str) -> Self {
        self.entry(EntryType::Regular, name, "", content.as_bytes(), |_| {})
    }

    pub(crate) fn directory(self, name: &str) -> Self {
        self.entry(EntryType::Directory, name, "", b"", |header| header.set_mode(0o755))
    }

    pub(crate) fn symlink(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, name, target, b"", |_| {})
    }

    pub(crate) fn hard_link(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Link, name, target, b"", |_| {})
    }

    /// Names as they are, without any check.
    pub(crate) fn entry(
        mut self,
        kind: EntryType,
        name: &str,
        link: &str,
        content: &[u8],
        change: impl FnOnce(&mut Header),
    ) -> Self {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_000_000);
        header.set_size(content.len() as u64);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        change(&mut header);
        header.set_cksum();
        self.bytes.extend(header.as_bytes());
        self.bytes.extend(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self
    }

    /// What the next entry says of itself in the POSIX format.
    pub(crate) fn records(self, records: &[(&str, &[u8])]) -> Self {
        let mut text = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let mut length = rest + 1;
            while length != rest + length.to_string().len() {
                length = rest + length.to_string().len();
            }
            text.extend(format!("{length} {key}=").bytes());
            text.extend(*value);
            text.push(b'\n');
        }
        self.entry(EntryType::XHeader, "records", "", &text, |_| {})
    }

    pub(crate) fn bytes(mut self) -> Vec<u8> {
        self.bytes.extend([0; 1024]);
        self.bytes
    }

    /// Unpacks it in a new directory beneath `desk`, beside which there is a file that nobody may touch.
    pub(crate) fn unpacked(self, desk: &Path) -> Result<Tally, LayerError> {
        let root = desk.join("root");
        fs::create_dir_all(&root).unwrap();
        fs::write(desk.join("outside"), "untouched").unwrap();
        let result = unpack(&self.bytes()[..], &root, Limits::default());
        assert_eq!(fs::read_to_string(desk.join("outside")).unwrap(), "untouched");
        let mut beside: Vec<_> =
            fs::read_dir(desk).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        beside.sort();
        assert_eq!(beside, ["outside", "root"]);
        result
    }
}

/// An image of these layers as Docker archives it, with this name.
pub(crate) fn docker_archive(
    name: &str,
    layers: &[Vec<u8>],
    change: impl FnOnce(&mut ImageConfig),
) -> Vec<u8> {
    let mut config = ImageConfig::scratch();
    config.rootfs.diff_ids = layers.iter().map(|layer| Digest::of(layer)).collect();
    config.config.cmd = Some(vec!["/bin/true".into()]);
    change(&mut config);
    let config = serde_json::to_string(&config).unwrap();
    let names: Vec<String> = (0..layers.len()).map(|nth| format!("{nth}/layer.tar")).collect();
    let manifest = serde_json::json!([{ "Config": "config.json", "RepoTags": [name], "Layers": names }]);
    let mut archive =
        Crafted::default().file("config.json", &config).file("manifest.json", &manifest.to_string());
    for (name, layer) in names.iter().zip(layers) {
        archive = archive.entry(EntryType::Regular, name, "", layer, |_| {});
    }
    archive.bytes()
}

pub(crate) fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut packed = gzip(Vec::new());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}
