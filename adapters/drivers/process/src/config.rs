// SPDX-License-Identifier: Apache-2.0
//! What the process driver is told by whoever makes it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How much an instance's two log files may take together, where nothing else is said: 8 MiB.
const LOG_BYTES_MAX_DEFAULT: u64 = 8 << 20;

/// The process driver's settings.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProcessDriverConfig {
    /// How the supervisor is started.
    pub supervisor: SupervisorCommand,
    /// Directory of the driver alone, made with mode 0700: logs, and notes of what must be cleaned up. One agent at a time.
    pub directory: PathBuf,
    /// The network that instances see.
    pub network: Network,
    /// Bytes that the log files of one instance may take together; less than 8 KiB counts as 8 KiB.
    pub log_bytes_max: u64,
}

/// The network that instances see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// The node's own. Each metadata service has a loopback port.
    #[default]
    Host,
    /// A namespace of its own for each instance, without a way out. Needs root.
    Namespace,
}

/// The command that runs [`crate::supervisor::main`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupervisorCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl ProcessDriverConfig {
    /// Settings with the node's network, and logs of at most 8 MiB for each instance.
    #[must_use]
    pub const fn new(supervisor: SupervisorCommand, directory: PathBuf) -> Self {
        Self { supervisor, directory, network: Network::Host, log_bytes_max: LOG_BYTES_MAX_DEFAULT }
    }
}

impl SupervisorCommand {
    /// The running program itself with these arguments, also if its file has been replaced meanwhile.
    #[must_use]
    pub fn own_program(arguments: Vec<String>) -> Self {
        Self { program: PathBuf::from("/proc/self/exe"), arguments }
    }
}
