// SPDX-License-Identifier: Apache-2.0
//! What `cargo xtask test` installs for tests beside the code.

use std::path::{Path, PathBuf};

/// A program that was installed: where the variable says, or below `target/tools`.
///
/// # Panics
/// If it is not there.
#[must_use]
pub fn tool(variable: &str, below_tools: &str) -> PathBuf {
    let given = std::env::var_os(variable).map(PathBuf::from);
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the repository");
    let path = given.unwrap_or_else(|| repository.join("target/tools").join(below_tools));
    assert!(path.exists(), "expected {}; run `cargo xtask tools` first", path.display());
    path
}
