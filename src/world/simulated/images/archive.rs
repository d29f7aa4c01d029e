//! What a layer is called: the digest of the archive that a build would make of its files, byte for byte (`image::layer::Packer`
//! writes those), without a file being written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::files::{Kind, Node};
use crate::image::digest::{Digest, Hasher};

const BLOCK: usize = 512;
/// Longer names need an entry of their own, as do larger ids: that is not foretold.
const LONGEST_NAME: usize = 100;
const LARGEST_ID: u32 = 0o7_777_777;
/// What an archive ends with.
const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// The digest of these files as a layer; `None` if one of them cannot be read, or is out of the ordinary.
pub(super) fn digest(files: &BTreeMap<PathBuf, Node>) -> Option<Digest> {
    let mut hasher = Hasher::default();
    for (path, node) in files {
        let (kind, link, content) = match &node.kind {
            Kind::Directory => (b'5', None, Vec::new()),
            Kind::Link(target) => (b'2', Some(target.as_path()), Vec::new()),
            Kind::File(file) => (b'0', None, file.read()?),
        };
        hasher.take(&header(kind, path, link, node, content.len())?);
        hasher.take(&content);
        hasher.take(&END[..content.len().next_multiple_of(BLOCK) - content.len()]);
    }
    hasher.take(&END);
    Some(hasher.digest())
}

fn header(kind: u8, path: &Path, link: Option<&Path>, node: &Node, size: usize) -> Option<[u8; BLOCK]> {
    let mut header = [0; BLOCK];
    let mut name = path.to_str()?.replace('\\', "/");
    if kind == b'5' {
        name.push('/');
    }
    let link = link.map_or(Some(""), Path::to_str)?;
    if name.len() > LONGEST_NAME || link.len() > LONGEST_NAME || node.uid.max(node.gid) > LARGEST_ID {
        return None;
    }
    header[..name.len()].copy_from_slice(name.as_bytes());
    octal(&mut header[100..108], u64::from(if kind == b'2' { 0o777 } else { node.mode }));
    octal(&mut header[108..116], u64::from(node.uid));
    octal(&mut header[116..124], u64::from(node.gid));
    octal(&mut header[124..136], size as u64);
    octal(&mut header[136..148], 0);
    header[148..156].fill(b' ');
    header[156] = kind;
    header[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum = header.iter().map(|byte| u64::from(*byte)).sum();
    octal(&mut header[148..156], sum);
    Some(header)
}

/// A number in octal digits, as many as the field holds, and a zero byte.
fn octal(field: &mut [u8], number: u64) {
    let (last, digits) = field.split_last_mut().expect("a field has room");
    *last = 0;
    let mut left = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(left % 8).expect("a digit is small");
        left /= 8;
    }
}
