// SPDX-License-Identifier: Apache-2.0
//! Starting a process with nothing of the supervisor's but its mark.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, PipeWriter};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use nix::libc;
use nix::sched::{CloneFlags, setns};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::SigSet;

use crate::mark::Mark;
use crate::protocol::Refusal;

/// Open files of the supervisor: one pipe for each instance, and a few.
const FILES_MAX: u64 = 65_536;
const STACK_BYTES: usize = 256 << 10;

/// What is to be started.
pub(super) struct Program<'a> {
    pub(super) command: &'a [String],
    pub(super) environment: &'a BTreeMap<String, String>,
    pub(super) namespace: Option<&'a str>,
    pub(super) mark: Mark,
    /// Where its output goes; nowhere without.
    pub(super) output: Option<PipeWriter>,
}

pub(super) struct Spawner {
    /// Open files that an instance may have: what the supervisor itself was started with (soft, hard). Some programs
    /// break if it is more than they expect (select(2)).
    files: (u64, u64),
}

impl Spawner {
    pub(super) fn new() -> io::Result<Self> {
        let spawner = Self { files: getrlimit(Resource::RLIMIT_NOFILE)? };
        spawner.raise_own_files()?;
        Ok(spawner)
    }

    fn raise_own_files(&self) -> io::Result<()> {
        let (soft, hard) = self.files;
        Ok(setrlimit(Resource::RLIMIT_NOFILE, soft.max(hard.min(FILES_MAX)), hard)?)
    }

    /// Starts it in a process group of its own, and returns its process id.
    pub(super) fn spawn(&self, program: Program<'_>) -> Result<i32, Refusal> {
        let (name, arguments) =
            program.command.split_first().ok_or_else(|| Refusal::permanent("expected a program, got none"))?;
        let mut command = Command::new(resolve(name, program.environment.get("PATH").map(String::as_str))?);
        command.arg0(name).args(arguments).env_clear().envs(program.environment).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(output) = program.output {
            let errors = output.try_clone().map_err(|error| refusal(name, &error))?;
            command.stdout(output).stderr(errors);
        }
        let namespace = program.namespace.map(open_namespace).transpose()?;
        let spawned = self.with_limits(program.mark, || spawn_in(command, namespace));
        spawned.map_err(|error| refusal(name, &error))
    }

    /// Limits belong to the process, and children inherit them.
    fn with_limits<T>(&self, mark: Mark, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let (soft, hard) = self.files;
        let result =
            mark.put_on().and_then(|()| Ok(setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?)).and_then(|()| work());
        if let Err(error) = Mark::take_off().and_then(|()| self.raise_own_files()) {
            super::report(&format!("cannot set its own limits back: {error}"));
        }
        result
    }
}

/// The network namespace and the blocked signals belong to the thread, so this is one that ends with the work.
fn spawn_in(mut command: Command, namespace: Option<File>) -> io::Result<i32> {
    let work = move || {
        SigSet::empty().thread_set_mask()?;
        if let Some(namespace) = namespace {
            setns(namespace, CloneFlags::CLONE_NEWNET)?;
        }
        let child = command.spawn()?;
        i32::try_from(child.id()).map_err(io::Error::other)
    };
    let thread = thread::Builder::new().name("spawn".to_owned()).stack_size(STACK_BYTES).spawn(work)?;
    thread.join().unwrap_or_else(|_panic| Err(io::Error::other("the starting thread ended early")))
}

fn open_namespace(path: &str) -> Result<File, Refusal> {
    File::open(path).map_err(|error| {
        Refusal::permanent(format!(
            "expected the instance's network namespace at {path}: {error}; release the instance"
        ))
    })
}

/// The file of a program: as it is if it has a slash, else the first of that name in `PATH`.
fn resolve(name: &str, path: Option<&str>) -> Result<PathBuf, Refusal> {
    if name.contains('/') {
        return Ok(PathBuf::from(name));
    }
    let path = path.unwrap_or_default();
    let is_program = |file: &PathBuf| {
        fs::metadata(file).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    };
    let found = path.split(':').map(|directory| Path::new(directory).join(name)).find(is_program);
    found.ok_or_else(|| {
        Refusal::permanent(format!(
            "expected a program named {name:?} in PATH ({path}), found none; install it or give its full path"
        ))
    })
}

fn refusal(name: &str, error: &io::Error) -> Refusal {
    let passing = [libc::EAGAIN, libc::ENOMEM, libc::EMFILE, libc::ENFILE, libc::ETXTBSY];
    match error.raw_os_error() {
        Some(number) if passing.contains(&number) => {
            Refusal::temporary(format!("no room to start {name:?} just now: {error}"))
        }
        Some(libc::ENOEXEC) => Refusal::permanent(format!(
            "expected {name:?} to be a program, or a script whose first line is #! and its interpreter: {error}"
        )),
        Some(libc::ENOENT) => Refusal::permanent(format!(
            "found no program {name:?}, or not the interpreter that it names; a relative path starts at the agent's working directory"
        )),
        _ => Refusal::permanent(format!("cannot start {name:?}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_in_the_instances_own_path() {
        assert_eq!(resolve("sh", Some("/nowhere:/bin")).unwrap(), Path::new("/bin/sh"));
        assert_eq!(resolve("./sh", None).unwrap(), Path::new("./sh"));
        for (name, path) in [("sh", None), ("sh", Some("/nowhere")), ("bin", Some("/")), ("passwd", Some("/etc"))] {
            let refusal = resolve(name, path).unwrap_err();
            assert!(!refusal.is_temporary && refusal.message.contains(name), "{refusal:?}");
        }
    }
}
