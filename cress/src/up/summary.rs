// SPDX-License-Identifier: Apache-2.0
//! What `cress up` says when everything runs.

use std::path::Path;

use cress_api::endpoints::Endpoints;
use cress_api::imds;

use crate::output::{self, Format};

pub(super) fn print(endpoints: &Endpoints, data_dir: &Path, format: Format) -> anyhow::Result<()> {
    match format {
        Format::Json => output::json(endpoints),
        Format::Human => print_for_people(endpoints, data_dir),
    }
}

fn print_for_people(endpoints: &Endpoints, data_dir: &Path) -> anyhow::Result<()> {
    let count = endpoints.instances.len();
    output::line(format!(
        "cress is up: control, one node, the authorization service, the broker and {count} example instances.\n"
    ))?;
    output::table(["WHAT", "WHERE"], &rows(endpoints))?;
    if let Some(first) = endpoints.instances.first() {
        output::line(format!(
            "\nGet the first instance's token:\n  curl --noproxy '*' -H 'Metadata: true' {}{}",
            first.imds,
            imds::TOKEN
        ))?;
        output::line(format!(
            "\nAsk as a proxy would whether it may pass:\n  cress token get --imds {} | sed 's/^/Authorization: Bearer /' |\n    curl --noproxy '*' -i -H @- {}/verify",
            first.imds, endpoints.authz
        ))?;
        output::line(format!(
            "\nGet a credential for it:\n  cress token get --imds {} --audience {} | sed 's/^/Authorization: Bearer /' |\n    curl --noproxy '*' --cacert {} -H @- -X POST {}/v1/credentials/{}",
            first.imds,
            endpoints.broker_audience,
            from_here(&endpoints.broker_ca),
            endpoints.broker,
            endpoints.example_credential
        ))?;
    }
    output::line(format!(
        "\nEverything is kept in {}; endpoints.json there is for scripts.\n\
         The instances are plain processes of this user, which nothing keeps apart: for development only.\n\
         Stop with Ctrl-C; started again with the same directory, ids and keys are the same.",
        data_dir.display()
    ))
}

/// A path as someone would type it here.
fn from_here(path: &str) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    Path::new(path).strip_prefix(here).map_or_else(|_| path.to_owned(), |shorter| shorter.display().to_string())
}

fn rows(endpoints: &Endpoints) -> Vec<[String; 2]> {
    let row = |what: &str, place: &str| [what.to_owned(), place.to_owned()];
    let mut rows = vec![
        row("control", &endpoints.control),
        row("key set", &endpoints.jwks),
        row("node API", &endpoints.node_api),
        row("metrics of control", &endpoints.control_metrics),
        row("authorization service", &endpoints.authz),
        row("broker", &endpoints.broker),
        row("metrics of the node", &endpoints.node_metrics),
        row("metrics of that service", &endpoints.authz_metrics),
        row("metrics of the broker", &endpoints.broker_metrics),
    ];
    let instances = endpoints.instances.iter();
    rows.extend(instances.map(|one| row(&format!("instance {}", one.instance_id), &one.imds)));
    rows
}
