// SPDX-License-Identifier: Apache-2.0
//! Answers. Headers that have something to say overwrite the client's; the others are removed from its request.

use bytes::Bytes;
use http::HeaderMap;

use super::proto::check_response::HttpResponse;
use super::proto::header_value_option::HeaderAppendAction;
use super::proto::{
    CheckResponse, DeniedHttpResponse, HeaderValue, HeaderValueOption, HttpStatus, OkHttpResponse, Status,
};
use crate::judge::{Decision, Verdict};

/// google.rpc.Code
const OK: i32 = 0;
const PERMISSION_DENIED: i32 = 7;

pub(super) fn of(decision: Decision, realm: &str) -> CheckResponse {
    match decision.verdict {
        Verdict::Permitted(headers) | Verdict::WouldBeRefused(_, headers) => permit(&headers),
        Verdict::Refused(refusal) => {
            let answer = refusal.into_response::<Bytes>(realm);
            let headers =
                answer.headers().iter().filter_map(|(name, value)| Some(option(name.as_str(), value.to_str().ok()?)));
            let denied = DeniedHttpResponse {
                status: Some(HttpStatus { code: answer.status().as_u16().into() }),
                headers: headers.collect(),
                body: String::from_utf8_lossy(answer.body()).into_owned(),
            };
            response(PERMISSION_DENIED, HttpResponse::DeniedResponse(denied))
        }
    }
}

fn permit(headers: &HeaderMap) -> CheckResponse {
    let mut ok = OkHttpResponse::default();
    for (name, value) in headers {
        match value.to_str() {
            Ok(text) if !text.is_empty() => ok.headers.push(option(name.as_str(), text)),
            _ => ok.headers_to_remove.push(name.as_str().to_owned()),
        }
    }
    response(OK, HttpResponse::OkResponse(ok))
}

fn response(code: i32, answer: HttpResponse) -> CheckResponse {
    CheckResponse { status: Some(Status { code, message: String::new() }), http_response: Some(answer) }
}

fn option(name: &str, value: &str) -> HeaderValueOption {
    let header = HeaderValue { key: name.to_owned(), value: value.to_owned(), raw_value: Vec::new() };
    HeaderValueOption { header: Some(header), append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into() }
}
