//! Which machines an image runs on.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An operating system on an architecture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// As Go calls it.
    pub architecture: String,
    /// As Go calls it.
    pub os: String,
    /// A kind of that architecture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// This machine's.
    pub fn here() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            "loongarch64" => "loong64",
            "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
            other => other,
        };
        let variant = (architecture == "arm").then(|| "v7".to_owned());
        Self { architecture: architecture.into(), os: "linux".into(), variant }
    }

    /// Whether what is made for this one runs on another.
    pub fn fits(&self, machine: &Self) -> bool {
        let same_variant = match (self.architecture.as_str(), &self.variant) {
            ("arm", variant) => variant.as_ref().is_none_or(|of| Some(of) <= machine.variant.as_ref()),
            _ => true,
        };
        self.os == machine.os && self.architecture == machine.architecture && same_variant
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_fits_its_own_kind_of_machine() {
        let of = |architecture: &str, os: &str, variant: Option<&str>| Platform {
            architecture: architecture.into(),
            os: os.into(),
            variant: variant.map(Into::into),
        };
        let machine = of("arm64", "linux", None);
        assert!(of("arm64", "linux", Some("v8")).fits(&machine));
        assert!(!of("arm64", "windows", None).fits(&machine));
        assert!(!of("amd64", "linux", None).fits(&machine));
        assert!(!of("unknown", "unknown", None).fits(&machine));
        assert!(of("arm", "linux", Some("v6")).fits(&of("arm", "linux", Some("v7"))));
        assert!(!of("arm", "linux", Some("v8")).fits(&of("arm", "linux", Some("v7"))));
    }
}
