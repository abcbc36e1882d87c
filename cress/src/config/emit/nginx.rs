// SPDX-License-Identifier: Apache-2.0
//! nginx, which asks `cress authz` in a subrequest. It cannot check tokens by itself (its commercial edition can).

use anyhow::ensure;

use super::plan::Plan;
use super::template::fill;

const TEMPLATE: &str = include_str!("templates/nginx.conf");

pub(super) fn render(plan: &Plan) -> anyhow::Result<String> {
    ensure!(!plan.native, "nginx checks no tokens by itself; leave out --native, and run cress authz");
    let headers = plan.headers.iter().map(|header| {
        let (name, variable) = (header.name(), header.variable());
        format!(
            "auth_request_set $cress_claim_{variable} $upstream_http_{variable};\n\
             proxy_set_header {name} $cress_claim_{variable};\n"
        )
    });
    fill(
        TEMPLATE,
        &[
            ("issuer", plan.issuer.to_string()),
            ("audience", plan.audience_texts().collect::<Vec<_>>().join(" or ")),
            ("authz", plan.authz.host_and_port()),
            ("upstream", plan.upstream.host_and_port()),
            ("listen", plan.listen.0.to_string()),
            ("forbidden_place", "@cress_forbidden".to_owned()),
            ("headers", headers.collect()),
        ],
    )
}
