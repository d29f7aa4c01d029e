//! Names in archives: made relative to the image's root, and refused where they would lead out of it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::LayerError;

/// More is no path to any kernel.
const LONGEST_PATH: usize = 4096;
const LONGEST_PART: usize = 255;

/// Where an entry lies, beneath the root; empty for the root itself.
pub fn clean(name: &[u8]) -> Result<PathBuf, LayerError> {
    let shown = || String::from_utf8_lossy(&name[..name.len().min(LONGEST_PART)]).into_owned();
    if name.contains(&0) || name.len() > LONGEST_PATH {
        return Err(LayerError::Name(shown()));
    }
    let mut path = PathBuf::new();
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                if !path.pop() {
                    return Err(LayerError::Escapes(shown()));
                }
            }
            part if part.len() > LONGEST_PART => return Err(LayerError::Name(shown())),
            part => path.push(OsStr::from_bytes(part)),
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_path_beneath_the_root() {
        for (name, path) in [
            ("a/b", "a/b"),
            ("./a//b/", "a/b"),
            ("/etc/passwd", "etc/passwd"),
            ("./", ""),
            ("a/../b", "b"),
            ("..a", "..a"),
        ] {
            assert_eq!(clean(name.as_bytes()).unwrap(), PathBuf::from(path), "{name}");
        }
    }

    #[test]
    fn a_name_that_leads_out_is_refused() {
        for name in ["..", "../a", "a/../../b", "/../a", "./..", "a/../.."] {
            assert!(matches!(clean(name.as_bytes()), Err(LayerError::Escapes(_))), "{name}");
        }
        let long = "a/".repeat(3000);
        for name in ["a\0b", &"a".repeat(256), &long] {
            assert!(matches!(clean(name.as_bytes()), Err(LayerError::Name(_))), "{name}");
        }
    }
}
