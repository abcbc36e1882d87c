// SPDX-License-Identifier: Apache-2.0
//! Python environments: one for each published version of the metadata SDK, since their interfaces differ and both are in use, one
//! for what the guides show besides, and one with the clients of what the broker makes credentials for.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::install_once;
use crate::command;

/// What every environment has: an independent verifier, and what the examples use.
const COMMON: [&str; 3] = ["PyJWT[crypto]==2.15.1", "flask==3.1.3", "requests==2.34.2"];

/// One environment.
pub(crate) struct Environment {
    /// Its folder in `target/tools`.
    folder: &'static str,
    /// What it has beside the common packages.
    packages: &'static [&'static str],
    /// The environment variable that tells the tests where its interpreter is.
    pub(crate) variable: &'static str,
}

/// All of them.
pub(crate) const ENVIRONMENTS: &[Environment] = &[
    Environment { folder: "python-a4", packages: &["salad-cloud-imds-sdk==0.9.0a4"], variable: "CRESS_TEST_PYTHON_A4" },
    Environment { folder: "python-a6", packages: &["salad-cloud-imds-sdk==0.9.0a6"], variable: "CRESS_TEST_PYTHON_A6" },
    Environment {
        folder: "python-guides",
        packages: &["fastapi==0.165.0", "uvicorn==0.54.0"],
        variable: "CRESS_TEST_PYTHON_GUIDES",
    },
    Environment {
        folder: "python-targets",
        packages: &["boto3==1.44.8", "psycopg[binary]==3.3.9", "redis==8.1.0"],
        variable: "CRESS_TEST_PYTHON_TARGETS",
    },
];

impl Environment {
    /// Where its interpreter is.
    pub(crate) fn interpreter(&self, tools: &Path) -> PathBuf {
        tools.join(self.folder).join("bin").join("python")
    }

    /// Makes it unless it is there.
    pub(crate) fn install(&self, tools: &Path) -> anyhow::Result<()> {
        let folder = tools.join(self.folder);
        let wanted = [self.packages, COMMON.as_slice()].concat();
        install_once(&folder, &wanted.join("\n"), || {
            command::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
            let mut pip = Command::new(self.interpreter(tools));
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
            command::run(pip.args(&wanted))
        })
    }
}
