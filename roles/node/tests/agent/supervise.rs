// SPDX-License-Identifier: Apache-2.0
//! The process driver's supervisor, which is this very test program started again: a test that only the driver starts.

use std::fs::File;
use std::process::ExitCode;

use cress_driver_process::SupervisorCommand;

const NAME: &str = "supervise::run_as_the_supervisor";
/// What the test harness prints must not reach the driver, so its standard output arrives here as another descriptor.
const OUTPUT: &str = "/proc/self/fd/3";

/// How the driver starts it.
pub(crate) fn command() -> SupervisorCommand {
    let program = std::env::current_exe().unwrap();
    let script =
        format!("exec '{}' --exact {NAME} --ignored --nocapture --test-threads=1 3>&1 1>/dev/null", program.display());
    SupervisorCommand { program: "/bin/sh".into(), arguments: vec!["-c".to_owned(), script] }
}

#[test]
#[ignore = "no test, but the supervisor of the other tests' instances"]
fn run_as_the_supervisor() {
    if !std::env::args().any(|argument| argument == NAME) {
        return;
    }
    let output = File::options().write(true).open(OUTPUT).unwrap();
    nix::unistd::dup2_stdout(&output).unwrap();
    drop(output);
    let is_success = cress_driver_process::supervisor::main() == ExitCode::SUCCESS;
    std::process::exit(i32::from(!is_success));
}
