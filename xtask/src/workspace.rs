// SPDX-License-Identifier: Apache-2.0
//! The checkout: where it is, what packages it has, and which of its files are its own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use cargo_metadata::{Metadata, MetadataCommand};

/// Folders that hold nothing of ours, wherever they lie.
const FOREIGN_FOLDERS: [&str; 5] = [".git", "target", "node_modules", "__pycache__", ".venv"];

pub(crate) struct Workspace {
    pub(crate) metadata: Metadata,
}

impl Workspace {
    pub(crate) fn load() -> anyhow::Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies outside of a workspace")?;
        let metadata = MetadataCommand::new()
            .manifest_path(manifest.join("Cargo.toml"))
            .exec()
            .context("cannot read the workspace with `cargo metadata`")?;
        Ok(Self { metadata })
    }

    pub(crate) fn root(&self) -> &Path {
        self.metadata.workspace_root.as_std_path()
    }

    /// Where cargo puts what it builds.
    pub(crate) fn target(&self) -> &Path {
        self.metadata.target_directory.as_std_path()
    }

    /// Where the tools of the tests are installed: always below the checkout, so that the tests find them wherever cargo
    /// builds.
    pub(crate) fn tools(&self) -> PathBuf {
        self.root().join("target").join("tools")
    }

    /// A binary of the debug build.
    pub(crate) fn debug_binary(&self, name: &str) -> PathBuf {
        self.target().join("debug").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }

    /// A path as people write it: from the root, with `/`.
    pub(crate) fn relative(&self, path: &Path) -> String {
        let relative = path.strip_prefix(self.root()).unwrap_or(path);
        relative.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
    }

    /// Every file of the project whose name ends so, in a stable order.
    pub(crate) fn files(&self, extensions: &[&str]) -> anyhow::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        collect(self.root(), extensions, &mut found)?;
        found.sort();
        Ok(found)
    }
}

fn collect(folder: &Path, extensions: &[&str], found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry?;
        let path = entry.path();
        let kind = entry.file_type()?;
        if kind.is_dir() && !is_foreign(&path) {
            collect(&path, extensions, found)?;
        } else if kind.is_file() && has_extension(&path, extensions) {
            found.push(path);
        }
    }
    Ok(())
}

fn is_foreign(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| FOREIGN_FOLDERS.iter().any(|foreign| name == *foreign))
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().is_some_and(|extension| extensions.iter().any(|wanted| extension == *wanted))
}
