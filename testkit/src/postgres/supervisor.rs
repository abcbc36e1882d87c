// SPDX-License-Identifier: Apache-2.0
//! Starts and stops a server, and ends it with the process that wanted it, even if that is killed: a shell that reads commands from
//! its standard input, whose end is the end of everything.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use super::programs::{Version, as_server_user, fail};

/// What the server writes.
pub(super) const LOG_FILE: &str = "server.log";

/// $1 is the directory; the rest is the server's command. QUIT is PostgreSQL's immediate shutdown, INT its fast one. KILL has
/// to take all of its processes, which would otherwise hold its memory for a while. One that nobody has waited for yet has no program any more, and
/// another may have got its number.
const SCRIPT: &str = r#"
cd "$1" && directory=$1 && shift
server=
end() { [ -z "$server" ] || { kill -s "$1" "$server" 2>/dev/null; wait "$server"; server=; }; }
while read -r command; do
    case $command in
        start) end QUIT; "$@" </dev/null >>server.log 2>&1 & server=$! ;;
        stop) end INT ;;
        kill) all="$server $(cat /proc/$server/task/$server/children)"
            kill -s KILL $all; wait "$server"; server=
            for each in $all; do while readlink /proc/$each/exe | grep -q postgres; do sleep 0.01; done; done
            rm -f postmaster.pid ;;
    esac
    echo done
done
end QUIT
cd / && rm -rf "$directory" 2>/dev/null
"#;

#[derive(Debug)]
pub(super) struct Supervisor {
    shell: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Supervisor {
    pub(super) fn spawn(version: Version, directory: &Path, port: u16, settings: &[&str]) -> Self {
        let mut command = as_server_user(Path::new("/bin/sh"));
        command.args(["-c", SCRIPT, "sh"]).arg(directory).arg(version.programs().join("postgres"));
        command.arg("-D").arg(directory).args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        for setting in FAST.iter().chain(settings) {
            command.args(["-c", setting]);
        }
        let mut shell = command
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| fail(&format!("{command:?}: {error}")));
        let commands = shell.stdin.take();
        let answers = BufReader::new(shell.stdout.take().expect("a pipe"));
        Self { shell, commands, answers }
    }

    /// Has a command carried out.
    pub(super) fn tell(&mut self, command: &str) {
        let commands = self.commands.as_mut().expect("a supervisor that runs");
        writeln!(commands, "{command}").and_then(|()| commands.flush()).expect("a supervisor that listens");
        let mut answer = String::new();
        let _nothing = self.answers.read_line(&mut answer);
        assert_eq!(answer.trim(), "done", "the supervisor of a server ended");
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.commands.take());
        let _gone = self.shell.wait();
    }
}

/// No test looks at what survives a power cut of the machine; a killed server loses nothing by these.
const FAST: &[&str] = &[
    "unix_socket_directories=",
    "fsync=off",
    "full_page_writes=off",
    "max_connections=200",
    "shared_buffers=32MB",
    "max_wal_size=256MB",
    "autovacuum=off",
    "timezone=UTC",
    "log_min_messages=warning",
];
