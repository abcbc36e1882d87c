// SPDX-License-Identifier: Apache-2.0
//! Starts, holds and ends a server, and ends it with the process that wanted it, even if that is killed: a shell that reads commands
//! from its standard input, whose end is the end of everything.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// What the server writes.
pub(super) const LOG_FILE: &str = "server.log";

/// $1 is the directory; the rest is the server's command.
const SCRIPT: &str = r#"
cd "$1" && directory=$1 && shift
server=
end() { [ -z "$server" ] || { kill -s "$1" "$server" 2>/dev/null; wait "$server"; server=; }; }
while read -r command; do
    case $command in
        start) end KILL; "$@" </dev/null >>server.log 2>&1 & server=$! ;;
        stop) end TERM ;;
        kill) end KILL ;;
        pause) kill -s STOP "$server" ;;
        resume) kill -s CONT "$server" ;;
    esac
    echo done
done
end KILL
cd / && rm -rf "$directory" 2>/dev/null
"#;

#[derive(Debug)]
pub(super) struct Supervisor {
    shell: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Supervisor {
    pub(super) fn spawn(program: &Path, directory: &Path, config: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "sh"]).arg(directory).arg(program).arg(directory.join(config)).args(arguments);
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = command.spawn().expect("a shell");
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
