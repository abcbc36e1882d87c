// SPDX-License-Identifier: Apache-2.0
//! What `cargo xtask test` installs for the tests.

use std::path::{Path, PathBuf};

/// The repository's root.
///
/// # Panics
/// Never: the package lies in it.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the repository").to_owned()
}

/// A Python with SaladCloud's SDK 0.9.0a4, PyJWT, Flask and requests.
#[must_use]
pub fn python_a4() -> PathBuf {
    tool("CRESS_TEST_PYTHON_A4", "python-a4/bin/python")
}

/// A Python with SaladCloud's SDK 0.9.0a6, PyJWT, Flask and requests.
#[must_use]
pub fn python_a6() -> PathBuf {
    tool("CRESS_TEST_PYTHON_A6", "python-a6/bin/python")
}

/// A Python with what the guides show: PyJWT, Flask, FastAPI and uvicorn.
#[must_use]
pub fn python_guides() -> PathBuf {
    tool("CRESS_TEST_PYTHON_GUIDES", "python-guides/bin/python")
}

/// The `node_modules` with what the guides show: jose and express.
#[must_use]
pub fn node_modules_guides() -> PathBuf {
    tool("CRESS_TEST_NODE_MODULES_GUIDES", "node-guides/node_modules")
}

/// The `node_modules` with SaladCloud's SDK and jose.
#[must_use]
pub fn node_modules() -> PathBuf {
    tool("CRESS_TEST_NODE_MODULES", "node/node_modules")
}

pub(crate) fn tool(variable: &str, below_tools: &str) -> PathBuf {
    let given = std::env::var_os(variable).map(PathBuf::from);
    let path = given.unwrap_or_else(|| repository().join("target/tools").join(below_tools));
    assert!(path.exists(), "expected {}; run `cargo xtask tools` first", path.display());
    path
}
