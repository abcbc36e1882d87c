// SPDX-License-Identifier: Apache-2.0
//! Envoy, which asks `cress authz` with ext_authz, or checks tokens by itself with jwt_authn.

use super::Protocol;
use super::claims::ClaimCheck;
use super::input::{Endpoint, IdentityHeader, JwksUrl};
use super::plan::Plan;
use super::quoted::{quote, yaml_list};
use super::template::fill;

const EXT_AUTHZ: &str = include_str!("templates/envoy.yaml");
const NATIVE: &str = include_str!("templates/envoy-native.yaml");
/// What the connection manager is told of paths and headers.
pub(super) const HYGIENE: &str = include_str!("templates/envoy-hygiene.yaml");
const STRIP: &str = include_str!("templates/envoy-strip.yaml");

/// A cluster that speaks HTTP/2, as gRPC needs it.
const HTTP_2: &str = r#"typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
    explicit_http_config: { http2_protocol_options: {} }
"#;

pub(super) fn render(plan: &Plan) -> anyhow::Result<String> {
    let mut values = common(plan)?;
    if plan.native {
        values.extend(native(plan));
        return fill(NATIVE, &values);
    }
    values.extend(ext_authz(plan));
    fill(EXT_AUTHZ, &values)
}

fn common(plan: &Plan) -> anyhow::Result<Vec<(&'static str, String)>> {
    let strip = strip(plan)?;
    let [upstream_address, upstream_port] = socket(&plan.upstream);
    Ok(vec![
        ("at", "@".to_owned()),
        ("hygiene", HYGIENE.to_owned()),
        ("strip", strip),
        ("listen_address", quote(&plan.listen.0.ip().to_string())),
        ("listen_port", plan.listen.0.port().to_string()),
        ("upstream_address", upstream_address),
        ("upstream_port", upstream_port),
    ])
}

/// A filter that drops what a client says about who asks, as an item of a list.
pub(super) fn strip(plan: &Plan) -> anyhow::Result<String> {
    let names = plan.headers.iter().map(|header| format!("- remove: {}\n", header.name())).collect();
    fill(STRIP, &[("at", "@".to_owned()), ("names", names)])
}

fn ext_authz(plan: &Plan) -> Vec<(&'static str, String)> {
    let [authz_address, authz_port] = socket(plan.ext_authz());
    let (service, protocol) = match plan.protocol {
        Protocol::Grpc => (grpc_service(), HTTP_2.to_owned()),
        Protocol::Http => (http_service(plan), String::new()),
    };
    vec![
        ("issuer", plan.issuer.to_string()),
        ("audience", plan.audience_texts().collect::<Vec<_>>().join(" or ")),
        ("service", service),
        ("authz_protocol", protocol),
        ("authz_address", authz_address),
        ("authz_port", authz_port),
    ]
}

fn grpc_service() -> String {
    "grpc_service:\n  envoy_grpc: { cluster_name: cress_authz }\n  timeout: 5s\n\
     # Each header as it came: two tokens must be seen to be two.\nencode_raw_headers: true\n"
        .to_owned()
}

fn http_service(plan: &Plan) -> String {
    let names = plan.headers.iter().map(|header| format!("        - exact: {}\n", header.name().to_ascii_lowercase()));
    format!(
        "http_service:\n  server_uri: {{ uri: {}, cluster: cress_authz, timeout: 5s }}\n  path_prefix: /verify/envoy\n\
         \x20 authorization_response:\n    allowed_upstream_headers:\n      patterns:\n{}",
        quote(&format!("http://{}", plan.authz.host_and_port())),
        names.collect::<String>()
    )
}

fn native(plan: &Plan) -> Vec<(&'static str, String)> {
    vec![
        ("issuer", quote(plan.issuer.as_str())),
        ("audiences", yaml_list(plan.audience_texts())),
        ("headers", plan.headers.iter().map(header).collect()),
        ("jwks_url", quote(plan.jwks_url.as_str())),
        ("jwks_address", quote(plan.jwks_url.address())),
        ("jwks_port", plan.jwks_url.port().to_string()),
        ("jwks_tls", tls(&plan.jwks_url)),
        ("no_headers", plan.headers.iter().map(no_header).collect()),
        ("rules", rules(plan)),
    ]
}

fn socket(endpoint: &Endpoint) -> [String; 2] {
    [quote(endpoint.address()), endpoint.port().to_string()]
}

fn header(header: &IdentityHeader) -> String {
    format!("- {{ header_name: {}, claim_name: {} }}\n", quote(header.name()), quote(header.claim()))
}

/// Whoever answers in the issuer's place decides which tokens are good.
fn tls(url: &JwksUrl) -> String {
    if !url.is_https() {
        return String::new();
    }
    let host = quote(url.address());
    format!(
        r#"transport_socket:
  name: envoy.transport_sockets.tls
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
    sni: {host}
    common_tls_context:
      validation_context:
        # Where Debian and its kin keep them.
        trusted_ca: {{ filename: /etc/ssl/certs/ca-certificates.crt }}
        match_typed_subject_alt_names:
          - {{ san_type: DNS, matcher: {{ exact: {host} }} }}
"#
    )
}

fn rules(plan: &Plan) -> String {
    plan.checks.iter().map(rule).collect()
}

fn rule(check: &ClaimCheck) -> String {
    if check.values().is_empty() {
        return metadata(check.claim(), "present_match: true");
    }
    let matchers = check.values().iter().map(|value| {
        let exact = format!("string_match: {{ exact: {} }}", quote(value));
        // A list satisfies a rule if one of its items does.
        format!("{{ {exact} }}, {{ list_match: {{ one_of: {{ {exact} }} }} }}")
    });
    let matchers = matchers.collect::<Vec<_>>().join(", ");
    metadata(check.claim(), &format!("or_match: {{ value_matchers: [{matchers}] }}"))
}

/// A text that is not printable ASCII. Envoy itself writes other values in base64.
fn no_header(header: &IdentityHeader) -> String {
    metadata(header.claim(), r#"string_match: { safe_regex: { regex: "(?s).*[^ -~].*" } }"#)
}

fn metadata(claim: &str, matcher: &str) -> String {
    format!(
        "- sourced_metadata:\n    metadata_matcher:\n      filter: envoy.filters.http.jwt_authn\n      \
         path: [{{ key: claims }}, {{ key: {} }}]\n      value: {{ {matcher} }}\n",
        quote(claim)
    )
}
