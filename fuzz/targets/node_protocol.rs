// SPDX-License-Identifier: Apache-2.0
//! Whatever comes over the node protocol, at either end: messages are decoded, and what they hold is read as the roles read it. The
//! first byte says which message the rest is.
#![no_main]

use cress_api::join_token::JoinToken;
use cress_api::node_protocol::{
    ControlUpdate, EnrolRequest, EnrolResponse, IssueTokensRequest, IssueTokensResponse, NodeReport,
};
use libfuzzer_sys::fuzz_target;
use prost::Message;

fuzz_target!(|data: &[u8]| {
    let Some((kind, rest)) = data.split_first() else { return };
    match kind {
        b'u' => decoded::<ControlUpdate>(rest).map(cress_node::fuzzing::update).unwrap_or_default(),
        b'e' => decoded::<EnrolResponse>(rest).map(cress_node::fuzzing::enrolled).unwrap_or_default(),
        b't' => drop(decoded::<IssueTokensResponse>(rest)),
        b'r' => decoded::<NodeReport>(rest).map(cress_control::fuzzing::report).unwrap_or_default(),
        b'q' => decoded::<EnrolRequest>(rest).map(cress_control::fuzzing::enrolment).unwrap_or_default(),
        b'i' => drop(decoded::<IssueTokensRequest>(rest)),
        b'j' => join_token(rest),
        _ => {}
    }
});

/// What was decoded is encoded as the same.
fn decoded<T: Message + Default + PartialEq>(bytes: &[u8]) -> Option<T> {
    let message = T::decode(bytes).ok()?;
    let again = T::decode(message.encode_to_vec().as_slice()).expect("what was encoded can be decoded");
    assert!(message == again);
    Some(message)
}

fn join_token(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    if let Ok(token) = text.parse::<JoinToken>() {
        assert_eq!(token.expose_text().expose().as_str(), text.trim(), "one spelling of each join token");
    }
}
