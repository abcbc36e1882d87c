// SPDX-License-Identifier: Apache-2.0
//! A process that is killed at a chosen point. Debug builds alone have such points (`cress_domain::fault`).

use std::fs;
use std::path::{Path, PathBuf};

/// The directory that a process and its test share: which points were passed, and at which one the process is to kill itself.
#[derive(Debug, Clone)]
pub struct Faults {
    directory: PathBuf,
}

impl Faults {
    /// The environment variable that names [`Self::directory`] to the process.
    pub const VARIABLE: &'static str = "CRESS_FAULT";

    /// None passed, and none to be killed at.
    ///
    /// # Panics
    /// If the directory cannot be made.
    #[must_use]
    pub fn in_directory(directory: &Path) -> Self {
        fs::create_dir_all(directory).expect("a directory for faults");
        let faults = Self { directory: directory.to_owned() };
        faults.disarm();
        faults
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> String {
        self.directory.display().to_string()
    }

    /// The process kills itself at the point with this number from now on, the first being 1.
    ///
    /// # Panics
    /// If it cannot be told.
    pub fn kill_at(&self, number: usize) {
        self.disarm();
        fs::write(self.directory.join("kill-at"), number.to_string()).expect("a file for the number");
    }

    /// The process lives, and counts anew.
    pub fn disarm(&self) {
        for file in ["kill-at", "points"] {
            let _absent = fs::remove_file(self.directory.join(file));
        }
    }

    /// The points passed so far.
    #[must_use]
    pub fn passed(&self) -> Vec<String> {
        let text = fs::read_to_string(self.directory.join("points")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}
