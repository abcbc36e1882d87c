// SPDX-License-Identifier: Apache-2.0
//! The programs that the tests need beside themselves: the supervisor, and an agent to be killed.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test's program fails the test at once")]

#[cfg(target_os = "linux")]
mod random;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["supervise"] => cress_driver_process::supervisor::main(),
        ["agent", directory, script] => agent(directory, script),
        _ => std::process::ExitCode::FAILURE,
    }
}

/// Runs the script as an instance, says so, and does nothing more until it is killed.
#[cfg(target_os = "linux")]
fn agent(directory: &str, script: &str) -> std::process::ExitCode {
    use cress_domain::InstanceId;
    use cress_driver::{Driver, Launch};
    use cress_driver_process::{ProcessDriver, ProcessDriverConfig, SupervisorCommand};

    let supervisor = SupervisorCommand::own_program(vec!["supervise".to_owned()]);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let driver = ProcessDriver::new(ProcessDriverConfig::new(supervisor, directory.into()));
        driver.adopt().await.unwrap();
        let id = InstanceId::generate(&random::Urandom);
        driver.prepare(id).await.unwrap();
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        let grace = std::time::Duration::from_millis(500);
        let running = driver.start(id, Launch::new(command, std::collections::BTreeMap::new(), grace)).await.unwrap();
        println!("started");
        running.await;
        println!("ended");
        std::future::pending::<()>().await;
    });
    std::process::ExitCode::SUCCESS
}

#[cfg(not(target_os = "linux"))]
fn main() {}
