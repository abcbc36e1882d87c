// SPDX-License-Identifier: Apache-2.0
//! What is asked for, as Cedar sees it.

use std::net::IpAddr;

use cedar_policy::{Context, EntityId, EntityTypeName, EntityUid, RestrictedExpression as Expression};
use cress_domain::Timestamp;

/// What someone asks for, when and from where.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// What.
    pub what: What<'a>,
    /// When.
    pub time: Timestamp,
    /// From where, if that is known.
    pub source_address: Option<IpAddr>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub enum What<'a> {
    /// To pass a proxy (`action access`).
    Access {
        /// The method.
        method: &'a str,
        /// The host, without a port.
        host: &'a str,
        /// The path, without a query.
        path: &'a str,
    },
    /// To be given a credential (`action issue`).
    Issue {
        /// Its name.
        credential: &'a str,
        /// How long it is to live, in seconds.
        ttl_seconds: u32,
        /// What else is asked for: names, which hold no equals sign, and values.
        parameters: &'a [(&'a str, &'a str)],
    },
}

impl Request<'_> {
    pub(crate) fn action(&self) -> Option<EntityUid> {
        match self.what {
            What::Access { .. } => uid("Cress::Action", "access"),
            What::Issue { .. } => uid("Cress::Action", "issue"),
        }
    }

    pub(crate) fn resource(&self) -> Option<EntityUid> {
        match self.what {
            What::Access { host, .. } => uid("Cress::Service", host),
            What::Issue { credential, .. } => uid("Cress::Credential", credential),
        }
    }

    pub(crate) fn context(&self) -> Option<Context> {
        let mut pairs = vec![("time", time(self.time))];
        if let Some(address) = self.source_address {
            pairs.push(("source_address", Expression::new_ip(address.to_canonical().to_string())));
        }
        match self.what {
            What::Access { method, host, path } => {
                pairs.extend([("method", text(method)), ("host", text(host)), ("path", text(path))]);
            }
            What::Issue { ttl_seconds, parameters, .. } => {
                if parameters.iter().any(|(name, _)| name.contains('=')) {
                    return None;
                }
                let parameters = parameters.iter().map(|(name, value)| text(&format!("{name}={value}")));
                pairs.push(("ttl_seconds", Expression::new_long(ttl_seconds.into())));
                pairs.push(("parameters", Expression::new_set(parameters)));
            }
        }
        Context::from_pairs(pairs.into_iter().map(|(name, value)| (name.to_owned(), value))).ok()
    }
}

/// An entity, made from parts: nothing in `id` is parsed.
pub(crate) fn uid(kind: &str, id: &str) -> Option<EntityUid> {
    let kind: EntityTypeName = kind.parse().ok()?;
    Some(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

pub(crate) fn text(text: &str) -> Expression {
    Expression::new_string(text.to_owned())
}

pub(crate) fn time(time: Timestamp) -> Expression {
    Expression::new_datetime(time.rfc3339())
}
