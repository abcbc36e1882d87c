// SPDX-License-Identifier: Apache-2.0
//! What is to be written, and where.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, bail, ensure};

/// Most outputs of one command.
const TARGETS_MAX: usize = 16;

/// One `--output`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) kind: Kind,
    pub(super) path: PathBuf,
}

/// The forms that keys are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A JSON Web Key Set.
    Jwks,
    /// The one key that signs, as a JSON Web Key.
    Jwk,
    /// All keys as PEM, one after the other.
    Pem,
    /// A directory with a PEM file for each key.
    PemDir,
    /// A map of HAProxy from a key's id to its file in the directory.
    HaproxyMap,
    /// A configuration file that makes HAProxy load the files of the directory.
    HaproxyConfig,
}

impl Kind {
    const ALL: [(&'static str, Self); 6] = [
        ("jwks", Self::Jwks),
        ("jwk", Self::Jwk),
        ("pem", Self::Pem),
        ("pem-dir", Self::PemDir),
        ("haproxy-map", Self::HaproxyMap),
        ("haproxy-config", Self::HaproxyConfig),
    ];

    /// Whether it names files of the directory.
    pub(super) const fn needs_pem_dir(self) -> bool {
        matches!(self, Self::HaproxyMap | Self::HaproxyConfig)
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let kinds = || Kind::ALL.map(|(name, _)| name).join(", ");
        let (name, path) =
            text.split_once(':').ok_or_else(|| format!("expected KIND:PATH, KIND one of {}", kinds()))?;
        let kind = Kind::ALL.into_iter().find_map(|(own, kind)| (own == name).then_some(kind));
        let kind = kind.ok_or_else(|| format!("expected one of {} before the colon, got {name:?}", kinds()))?;
        if path.is_empty() {
            Err("expected a path after the colon".to_owned())
        } else {
            Ok(Self { kind, path: path.into() })
        }
    }
}

/// Makes the paths absolute, and checks that the outputs go together.
pub(super) fn check(targets: &[Target]) -> anyhow::Result<Vec<Target>> {
    ensure!(targets.len() <= TARGETS_MAX, "expected at most {TARGETS_MAX} outputs, got {}", targets.len());
    let mut checked: Vec<Target> = Vec::new();
    for target in targets {
        let path = std::path::absolute(&target.path)
            .with_context(|| format!("cannot make {} absolute", target.path.display()))?;
        // Without a slash at its end, so that names can be made from it.
        let path: PathBuf = path.components().collect();
        ensure!(path.file_name().is_some(), "expected the path of a file or directory, got {}", path.display());
        let twice = checked.iter().any(|other| other.path == path);
        ensure!(!twice, "expected each output at a path of its own, got {} twice", path.display());
        checked.push(Target { kind: target.kind, path });
    }
    check_pem_dir(&checked)?;
    Ok(checked)
}

fn check_pem_dir(targets: &[Target]) -> anyhow::Result<()> {
    let directories: Vec<&Path> =
        targets.iter().filter(|target| target.kind == Kind::PemDir).map(|target| target.path.as_path()).collect();
    if !targets.iter().any(|target| target.kind.needs_pem_dir()) {
        return Ok(());
    }
    match directories.as_slice() {
        [directory] => ensure!(
            is_plain(directory),
            "expected a directory with letters, digits and ./_-+@ in its path for HAProxy's configuration, got {}",
            directory.display()
        ),
        _ => bail!("haproxy-map and haproxy-config name files of a directory: add one --output pem-dir:DIR"),
    }
    Ok(())
}

/// Nothing that means something in a line of HAProxy's configuration or map.
fn is_plain(path: &Path) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"./_-+@".contains(&byte);
    path.to_str().is_some_and(|text| text.bytes().all(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(texts: &[&str]) -> anyhow::Result<Vec<Target>> {
        check(&texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn outputs_are_read() {
        let target: Target = "pem-dir:/etc/a:b".parse().unwrap();
        assert_eq!(target, Target { kind: Kind::PemDir, path: "/etc/a:b".into() });
        for bad in ["", "jwks", "/etc/keys", "jwks:", "xml:/etc/keys", "JWKS:/etc/keys"] {
            assert!(bad.parse::<Target>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn outputs_that_do_not_go_together_are_refused() {
        assert!(targets(&["jwks:/a", "jwk:/b", "pem:/c", "pem-dir:/d e"]).is_ok());
        assert!(targets(&["haproxy-map:/a", "pem-dir:/etc/haproxy/keys", "haproxy-config:/c"]).is_ok());
        assert!(targets(&["jwks:a"]).unwrap()[0].path.is_absolute());
        assert_eq!(targets(&["pem-dir:/a//b/"]).unwrap()[0].path.as_os_str(), "/a/b");
        for bad in [
            &["jwks:/a", "pem:/a"][..],
            &["jwks:/"],
            &["haproxy-map:/a"],
            &["haproxy-config:/a", "pem-dir:/b", "pem-dir:/c"],
            &["haproxy-map:/a", "pem-dir:/with space"],
            &["haproxy-config:/a", "pem-dir:/x\"),deny"],
        ] {
            assert!(targets(bad).is_err(), "{bad:?}");
        }
        let many: Vec<String> = (0..=TARGETS_MAX).map(|index| format!("jwks:/{index}")).collect();
        assert!(targets(&many.iter().map(String::as_str).collect::<Vec<_>>()).is_err());
    }
}
