// SPDX-License-Identifier: Apache-2.0
//! Tokens signed through the node protocol, with one core for control, against bare signing on one core.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use cress_api::node_protocol::token_result::Result as TokenResult;
use cress_api::node_protocol::{IssueTokensRequest, TokenRequest};
use cress_client::AdminClient;
use cress_domain::GroupDefinition;
use serde_json::json;

use crate::cores;
use crate::node_client::NodeClient;
use crate::processes::Control;
use crate::report::{Report, Target};
use crate::stores::Place;

const BATCH: usize = 100;
/// Batches under way at once.
const CONNECTIONS: usize = 4;

pub(crate) fn run(report: &mut Report, seconds: u64) -> anyhow::Result<()> {
    let time = Duration::from_secs(seconds);
    report.section("Issuance, one core for control, batches of 100 over mutual TLS");
    let bare = std::thread::spawn(move || bare(time)).join().map_err(|_panic| anyhow::anyhow!("signing failed"))??;
    report.figure("aws-lc-rs, ES256 alone", bare, "tokens/s", Target::None);

    for (name, place) in Place::each() {
        let rate = measured(Control::start_at(place())?, time)?;
        report.figure(&format!("cress, its fleet in {name}"), rate, "tokens/s", Target::None);
        report.figure("cress / ES256 alone", rate / bare, "x", Target::AtLeast(0.5));
    }
    Ok(())
}

fn measured(control: Control, time: Duration) -> anyhow::Result<f64> {
    let load = std::thread::spawn(move || {
        cores::tie_thread(cores::LOAD)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let admin = control.admin()?;
        runtime.block_on(issued(&admin, time))
    });
    load.join().map_err(|_panic| anyhow::anyhow!("the load generator failed"))?
}

#[expect(clippy::cast_precision_loss, reason = "figures of a benchmark have three digits")]
fn bare(time: Duration) -> anyhow::Result<f64> {
    cores::tie_thread(cores::SERVER)?;
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).context("a key")?;
    let (random, message) = (SystemRandom::new(), [b'x'; 800]);
    let (started, mut count) = (Instant::now(), 0_u64);
    while started.elapsed() < time {
        for _ in 0..100 {
            std::hint::black_box(key.sign(&random, &message).context("a signature")?);
        }
        count += 100;
    }
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

#[expect(clippy::cast_precision_loss, reason = "figures of a benchmark have three digits")]
async fn issued(admin: &AdminClient, time: Duration) -> anyhow::Result<f64> {
    let node = NodeClient::enrol(admin, 1_000).await?;
    let batch = place(admin).await?;
    let mut connections = tokio::task::JoinSet::new();
    let started = Instant::now();
    for _ in 0..CONNECTIONS {
        let (mut fleet, batch) = (node.fleet().await?, batch.clone());
        connections.spawn(async move {
            let mut count = 0_usize;
            while started.elapsed() < time {
                let results = fleet.issue_tokens(batch.clone()).await?.into_inner().results;
                let good =
                    |one: &cress_api::node_protocol::TokenResult| matches!(one.result, Some(TokenResult::Token(_)));
                ensure!(results.len() == BATCH && results.iter().all(good), "expected a token for each instance");
                count += BATCH;
            }
            anyhow::Ok(count)
        });
    }
    let mut count = 0;
    while let Some(done) = connections.join_next().await {
        count += done??;
    }
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

/// Has instances placed on the node, and asks for a token for each.
async fn place(admin: &AdminClient) -> anyhow::Result<IssueTokensRequest> {
    let (organization, project, group) = ("rxlab".parse()?, "default".parse()?, "rxlab-demo".parse()?);
    admin.create_organization(&organization).await?;
    admin.create_project(&organization, &project).await?;
    let definition: GroupDefinition = serde_json::from_value(json!({"replicas": BATCH, "command": ["sleep", "1"]}))?;
    admin.create_container_group(&organization, &project, &group, &definition).await?;
    loop {
        let instances = admin.instances().await?;
        if instances.len() == BATCH {
            let request = |id: String| TokenRequest { instance_id: id, audience: String::new() };
            return Ok(IssueTokensRequest {
                requests: instances.iter().map(|one| request(one.id.to_string())).collect(),
            });
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
