// SPDX-License-Identifier: Apache-2.0
//! What services read: the key set of all rings, and where it is (OpenID Connect Discovery 1.0, section 3).

use std::time::Duration;

use bytes::Bytes;
use cress_jose::JwkSet;
use cress_keyring::entity_tag;
use serde::Serialize;

use super::Signer;

/// How long the key set may be kept: as the rings count on.
const KEY_SET_LIFE: Duration = Duration::from_secs(3_600);
/// How long the discovery document may be kept.
const DISCOVERY_LIFE: Duration = Duration::from_secs(3_600);

/// A document with an entity tag (RFC 9110 section 8.8.3).
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) body: Bytes,
    /// With its quotes.
    pub(crate) entity_tag: String,
    /// How long it may be kept.
    pub(crate) life: Duration,
}

/// Its members are those that the standard requires of an issuer without an authorization endpoint.
#[derive(Serialize)]
struct Discovery<'a> {
    issuer: &'a str,
    jwks_uri: &'a str,
    token_endpoint: &'a str,
    response_types_supported: [&'static str; 1],
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: [&'static str; 2],
}

impl Signer {
    /// The public keys of all rings. None if a ring does not know which are published: a set that lacks a new key would make services
    /// refuse good tokens for as long as they keep it.
    pub(crate) fn key_set(&self) -> Option<Document> {
        let now = self.0.clock.now();
        let views = [self.0.es256.current(), self.0.rs256.current()];
        if views.iter().any(|view| !view.is_fresh(now)) {
            return None;
        }
        let keys = views.iter().flat_map(|view| view.published.keys().iter().cloned()).collect();
        let body = Bytes::from(JwkSet::new(keys).ok()?.to_json());
        Some(Document { entity_tag: entity_tag(&body), body, life: KEY_SET_LIFE })
    }

    /// Where the key set is.
    pub(crate) fn discovery(&self, jwks_uri: &str, token_endpoint: &str) -> Document {
        let discovery = Discovery {
            issuer: self.0.issuer.as_str(),
            jwks_uri,
            token_endpoint,
            response_types_supported: ["id_token"],
            subject_types_supported: ["public"],
            id_token_signing_alg_values_supported: ["ES256", "RS256"],
        };
        // It has only texts, so that writing it cannot fail.
        let body = Bytes::from(serde_json::to_vec(&discovery).unwrap_or_default());
        Document { entity_tag: entity_tag(&body), body, life: DISCOVERY_LIFE }
    }
}
