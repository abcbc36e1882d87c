// SPDX-License-Identifier: Apache-2.0
//! Over gRPC, with the client that is generated from the same description.

use std::collections::HashMap;
use std::sync::Arc;

use cress_domain::Clock;
use cress_service::Shutdown;
use cress_testkit::{MockClock, TestIssuer};

use tonic::transport::Endpoint;

use super::proto::attribute_context::{HttpRequest, Request};
use super::proto::authorization_client::AuthorizationClient;
use super::proto::check_response::HttpResponse;
use super::proto::{AttributeContext, CheckRequest, HeaderMap, HeaderValue};
use crate::{Config, Grpc, IssuerConfig, Metrics, Ports, RuleConfig, start};

fn question(path: &str, headers: &[(&str, &str)]) -> CheckRequest {
    let http = HttpRequest {
        method: "GET".to_owned(),
        host: "api.example".to_owned(),
        path: path.to_owned(),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<HashMap<_, _>>(),
        ..HttpRequest::default()
    };
    ask(http)
}

fn ask(http: HttpRequest) -> CheckRequest {
    CheckRequest { attributes: Some(AttributeContext { source: None, request: Some(Request { http: Some(http) }) }) }
}

#[tokio::test]
async fn envoy_is_answered() {
    let (issuer, directory) = (TestIssuer::new(), tempfile::tempdir().unwrap());
    let keys = directory.path().join("jwks.json");
    std::fs::write(&keys, issuer.jwks_json()).unwrap();
    let mut trusted = IssuerConfig::new("test", issuer.rules().issuer, "", Vec::new());
    (trusted.jwks_url, trusted.jwks_file, trusted.any_audience) = (None, Some(keys), true);
    let mut rule = RuleConfig::new("api");
    (rule.host, rule.path) = (Some("api.example".to_owned()), Some("/api".to_owned()));
    let mut config = Config::new(vec![trusted], vec![rule]);
    config.listen = "127.0.0.1:0".parse().unwrap();
    (config.metrics, config.grpc) = (Metrics { listen: config.listen }, Grpc { listen: Some(config.listen) });
    let (shutdown, clock) = (Shutdown::default(), MockClock::default());
    let token = issuer.token(clock.now());
    let started =
        start(config, Ports { clock: Arc::new(clock), shutdown: shutdown.clone(), reload: None }).await.unwrap();
    let channel = Endpoint::try_from(format!("http://{}", started.grpc.unwrap())).unwrap().connect_lazy();
    let mut client = AuthorizationClient::new(channel);

    let bearer = format!("Bearer {token}");
    let twice = format!("{bearer},{bearer}");
    let names: Vec<String> = (0..40_000).map(|number| format!("x-{number}")).collect();
    let mut many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    many.push(("authorization", &bearer));
    let in_list = |values: &[&str]| {
        let headers = values.iter().map(|value| HeaderValue {
            key: "authorization".to_owned(),
            value: String::new(),
            raw_value: value.as_bytes().to_vec(),
        });
        let mut http = question("/api", &[]).attributes.unwrap().request.unwrap().http.unwrap();
        http.header_map = Some(HeaderMap { headers: headers.collect() });
        ask(http)
    };
    for (question, status) in [
        (question("/api/x?y", &[("authorization", &bearer), (":path", "/api")]), 200),
        (question("/other", &[("authorization", &bearer)]), 403),
        (question("/api/../x", &[("authorization", &bearer)]), 400),
        (question("/api", &[]), 401),
        (question("/api", &[("authorization", &twice)]), 400),
        (question("/api", &[("authorization", &bearer), ("bad name", "x")]), 400),
        (in_list(&[&bearer]), 200),
        (in_list(&[&bearer, &bearer]), 400),
        (question("/api", &many), 400),
        (CheckRequest::default(), 400),
    ] {
        let answer = client.check(question.clone()).await.unwrap().into_inner();
        let (code, response) = (answer.status.unwrap().code, answer.http_response.unwrap());
        match response {
            HttpResponse::OkResponse(ok) => {
                assert_eq!((status, code), (200, 0), "{question:?}");
                assert!(ok.headers.iter().all(|option| option.append_action == 2));
                let names: Vec<String> = ok.headers.into_iter().map(|option| option.header.unwrap().key).collect();
                assert!(names.contains(&"x-cress-subject".to_owned()), "{names:?}");
                // What the token does not say is removed from the client's request.
                assert!(names.len() + ok.headers_to_remove.len() == 7, "{names:?} {:?}", ok.headers_to_remove);
            }
            HttpResponse::DeniedResponse(denied) => {
                assert_eq!(denied.status.unwrap().code, status, "{question:?}");
                assert_eq!(code, 7);
                let has_challenge =
                    |name: &str| denied.headers.iter().any(|one| one.header.as_ref().unwrap().key == name);
                assert!(has_challenge("www-authenticate") && !denied.body.contains(&token));
            }
        }
    }
    shutdown.request();
}
