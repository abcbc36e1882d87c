// SPDX-License-Identifier: Apache-2.0
//! The other group: scaled, replaced and restarted all the time, and keys switched. Control may be away: then it is tried again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::fleet::{CHURN_MAX, Client};
use super::http::Connection;

const PAUSE: Duration = Duration::from_secs(2);

/// Starts it; in the end it tells how many changes were made.
pub(super) fn start(client: Client, stop: Arc<AtomicBool>) -> JoinHandle<anyhow::Result<u64>> {
    std::thread::spawn(move || {
        let (mut done, mut step) = (0_u64, 0_u64);
        while !stop.load(Ordering::Relaxed) {
            // Control may be killed at any moment: what is refused is not counted.
            done += u64::from(change(&client, step).is_ok());
            step += 1;
            std::thread::sleep(PAUSE);
        }
        Ok(done)
    })
}

fn change(client: &Client, step: u64) -> anyhow::Result<()> {
    match step % 5 {
        0 => scale(client, 1 + step * 7 % CHURN_MAX),
        1 => client.group("replace", "churn", CHURN_MAX, &step.to_string()),
        2 => restart(client, usize::try_from(step)?),
        3 => scale(client, CHURN_MAX),
        // Too early, more often than not: keys switch by themselves each minute.
        _ => client.admin(&["keys", "rotate"]).map(drop),
    }
}

fn scale(client: &Client, replicas: u64) -> anyhow::Result<()> {
    let replicas = replicas.to_string();
    client.admin(&["groups", "scale", "--organization", "acme", "--project", "default", "churn", &replicas]).map(drop)
}

fn restart(client: &Client, from: usize) -> anyhow::Result<()> {
    if let Some(address) = client.churned_service(from) {
        Connection::to(address).call("POST", "/v1/restart")?;
    }
    Ok(())
}
