// SPDX-License-Identifier: Apache-2.0
//! Traefik, which asks `cress authz` with `forwardAuth`. It cannot check tokens by itself.

use anyhow::ensure;

use super::plan::Plan;
use super::quoted::{quote, yaml_list};
use super::template::fill;

const TEMPLATE: &str = include_str!("templates/traefik.yaml");
const PATH_DEFAULT: &str = "/etc/traefik/traefik.yaml";

pub(super) fn render(plan: &Plan) -> anyhow::Result<String> {
    ensure!(!plan.native, "Traefik checks no tokens by itself; leave out --native, and run cress authz");
    let path = plan.own_path(PATH_DEFAULT)?;
    fill(
        TEMPLATE,
        &[
            ("path", quote(&path)),
            ("quoted_path", quote(&path)),
            ("issuer", plan.issuer.to_string()),
            ("audience", plan.audience_texts().collect::<Vec<_>>().join(" or ")),
            ("listen", quote(&plan.listen.0.to_string())),
            ("authz", quote(&format!("http://{}/verify/traefik", plan.authz.host_and_port()))),
            ("headers", yaml_list(plan.headers.iter().map(|header| header.name()))),
            ("upstream", quote(&format!("http://{}", plan.upstream.host_and_port()))),
        ],
    )
}
