// SPDX-License-Identifier: Apache-2.0
//! Istio, whose sidecars ask `cress authz`, or check tokens by themselves.

use anyhow::ensure;

use super::Protocol;
use super::claims::ClaimCheck;
use super::envoy;
use super::plan::Plan;
use super::quoted::{quote, yaml_list};
use super::template::fill;

const EXT_AUTHZ: &str = include_str!("templates/istio.yaml");
const NATIVE: &str = include_str!("templates/istio-native.yaml");
const FILTER: &str = include_str!("templates/istio-filter.yaml");

/// `*` as a value: the claim is there.
const PRESENT: &str = "*";

pub(super) fn render(plan: &Plan) -> anyhow::Result<String> {
    if plan.native { native(plan) } else { ext_authz(plan) }
}

fn ext_authz(plan: &Plan) -> anyhow::Result<String> {
    let provider = match plan.protocol {
        Protocol::Grpc => "envoyExtAuthzGrpc",
        Protocol::Http => "envoyExtAuthzHttp",
    };
    fill(
        EXT_AUTHZ,
        &[
            ("provider", provider.to_owned()),
            ("provider_more", provider_more(plan)),
            ("authz_host", quote(plan.ext_authz().address())),
            ("authz_port", plan.ext_authz().port().to_string()),
            ("issuer", plan.issuer.to_string()),
            ("audience", plan.audience_texts().collect::<Vec<_>>().join(" or ")),
            ("filter", filter(plan)?),
        ],
    )
}

/// What Envoy is told by itself, for the sidecars.
fn filter(plan: &Plan) -> anyhow::Result<String> {
    let strip = envoy::strip(plan)?;
    let lines = strip.lines().filter(|line| !line.starts_with('#'));
    // Here the item of a list is a value.
    let strip = lines.map(|line| format!("{}\n", line.get(2..).unwrap_or_default())).collect();
    fill(FILTER, &[("at", "@".to_owned()), ("hygiene", envoy::HYGIENE.to_owned()), ("strip", strip)])
}

/// The rest of the provider, each line a comment. Over gRPC an answer may add any header.
fn provider_more(plan: &Plan) -> String {
    let names = plan.headers.iter().map(|header| quote(&header.name().to_ascii_lowercase())).collect::<Vec<_>>();
    match plan.protocol {
        Protocol::Grpc => "#           timeout: 5s".to_owned(),
        Protocol::Http => format!(
            "#           timeout: 5s\n#           pathPrefix: /verify/istio\n#           \
             includeRequestHeadersInCheck: [authorization]\n#           headersToUpstreamOnAllow: [{}]",
            names.join(", ")
        ),
    }
}

fn native(plan: &Plan) -> anyhow::Result<String> {
    let headers = plan.headers.iter().map(|header| {
        format!("- {{ header: {}, claim: {} }}\n", quote(&header.name().to_ascii_lowercase()), quote(header.claim()))
    });
    // A star at either end of a text means "anything" to Istio.
    ensure!(!plan.issuer.as_str().contains('*'), "expected an issuer without stars for Istio");
    fill(
        NATIVE,
        &[
            ("issuer", quote(plan.issuer.as_str())),
            ("jwks_url", quote(plan.jwks_url.as_str())),
            ("audiences", yaml_list(plan.audience_texts())),
            ("headers", headers.collect()),
            ("principal", quote(&format!("{}/*", plan.issuer))),
            ("when", when(&plan.checks)?),
            ("filter", filter(plan)?),
        ],
    )
}

fn when(checks: &[ClaimCheck]) -> anyhow::Result<String> {
    if checks.is_empty() {
        return Ok(String::new());
    }
    let conditions = checks.iter().map(condition).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(format!("when:\n{}", conditions.concat()))
}

fn condition(check: &ClaimCheck) -> anyhow::Result<String> {
    let plain = check.values().iter().all(|value| !value.starts_with('*') && !value.ends_with('*'));
    ensure!(plain, "expected values without a star at either end for Istio, got one for {}", check.claim());
    let mut values: Vec<&str> = check.values().iter().map(String::as_str).collect();
    if values.is_empty() {
        values.push(PRESENT);
    }
    let values = values.into_iter().map(quote).collect::<Vec<_>>().join(", ");
    Ok(format!("  - {{ key: {}, values: [{values}] }}\n", quote(&format!("request.auth.claims[{}]", check.claim()))))
}
