// SPDX-License-Identifier: Apache-2.0
//! From a path and a method to what is asked for. By hand rather than with a router: it is the first thing that every request costs.

use cress_api::broker::paths;
use cress_domain::{CredentialName, LeaseId};
use http::Method;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// `GET /v1/credentials`
    Offers,
    /// `POST /v1/credentials/{name}`
    Issue(CredentialName),
    /// `GET /v1/leases`
    Leases,
    /// `DELETE /v1/leases/{id}`
    End(LeaseId),
    /// `POST /v1/leases/{id}/renew`
    Renew(LeaseId),
    /// `POST /oauth/token`
    Exchange,
    /// `GET /.well-known/oauth-authorization-server`
    AuthorizationServer,
    /// `GET /.well-known/openid-configuration`
    Discovery,
    /// `GET /.well-known/jwks.json`
    KeySet,
    /// `GET /openapi.json`
    OpenApi,
    /// `GET /healthz`
    Health,
    /// `GET /readyz`
    Readiness,
}

/// A path or method that nothing is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoute {
    /// Nothing is at this path.
    Path,
    /// Something is there, for this method.
    Method(&'static str),
}

impl Route {
    pub(super) fn of(method: &Method, path: &str) -> Result<Self, NoRoute> {
        let (route, allowed) = Self::at(path).ok_or(NoRoute::Path)?;
        let fits = method == allowed || (allowed == Method::GET && method == Method::HEAD);
        if fits { Ok(route) } else { Err(NoRoute::Method(shown(&allowed))) }
    }

    fn at(path: &str) -> Option<(Self, Method)> {
        if let Some(name) = path.strip_prefix(CREDENTIAL) {
            return name.parse().ok().map(|name| (Self::Issue(name), Method::POST));
        }
        if let Some(rest) = path.strip_prefix(LEASE) {
            return match rest.strip_suffix(RENEW) {
                Some(id) => id.parse().ok().map(|id| (Self::Renew(id), Method::POST)),
                None => rest.parse().ok().map(|id| (Self::End(id), Method::DELETE)),
            };
        }
        Some(match path {
            paths::CREDENTIALS => (Self::Offers, Method::GET),
            paths::LEASES => (Self::Leases, Method::GET),
            paths::TOKEN => (Self::Exchange, Method::POST),
            paths::AUTHORIZATION_SERVER => (Self::AuthorizationServer, Method::GET),
            paths::DISCOVERY => (Self::Discovery, Method::GET),
            paths::JWKS => (Self::KeySet, Method::GET),
            paths::OPENAPI => (Self::OpenApi, Method::GET),
            paths::HEALTH => (Self::Health, Method::GET),
            paths::READINESS => (Self::Readiness, Method::GET),
            _ => return None,
        })
    }
}

/// [`paths::CREDENTIAL`] up to the name.
const CREDENTIAL: &str = "/v1/credentials/";
/// [`paths::LEASE`] up to the id.
const LEASE: &str = "/v1/leases/";
/// [`paths::LEASE_RENEW`] after the id.
const RENEW: &str = "/renew";

fn shown(allowed: &Method) -> &'static str {
    match *allowed {
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        _ => "GET, HEAD",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "87659e43-19b0-4338-b3cc-d0a303c72af6";

    #[test]
    fn every_path_of_the_contract_leads_somewhere() {
        let id: LeaseId = ID.parse().unwrap();
        let named = |path: &str| path.replace("{name}", "cache-rw").replace("{id}", ID);
        for (method, path, route) in [
            (Method::GET, paths::CREDENTIALS, Route::Offers),
            (Method::POST, paths::CREDENTIAL, Route::Issue("cache-rw".parse().unwrap())),
            (Method::GET, paths::LEASES, Route::Leases),
            (Method::DELETE, paths::LEASE, Route::End(id)),
            (Method::POST, paths::LEASE_RENEW, Route::Renew(id)),
            (Method::POST, paths::TOKEN, Route::Exchange),
            (Method::GET, paths::AUTHORIZATION_SERVER, Route::AuthorizationServer),
            (Method::HEAD, paths::DISCOVERY, Route::Discovery),
            (Method::GET, paths::JWKS, Route::KeySet),
            (Method::GET, paths::OPENAPI, Route::OpenApi),
            (Method::GET, paths::HEALTH, Route::Health),
            (Method::GET, paths::READINESS, Route::Readiness),
        ] {
            assert_eq!(Route::of(&method, &named(path)), Ok(route), "{path}");
        }
    }

    #[test]
    fn nothing_else_does() {
        for path in [
            "/",
            "/v1",
            "/v1/credentials/",
            "/v1/credentials/A",
            "/v1/credentials/a/b",
            "/v1/credentials/..",
            "/v1/leases/",
            "/v1/leases/x",
            "/v1/leases/x/renew",
            "/v1/leases//renew",
            "/V1/leases",
            "/v1/leases/renew",
            "/oauth/token/",
        ] {
            assert_eq!(Route::of(&Method::POST, path), Err(NoRoute::Path), "{path}");
        }
        assert_eq!(Route::of(&Method::GET, "/oauth/token"), Err(NoRoute::Method("POST")));
        assert_eq!(Route::of(&Method::PUT, "/healthz"), Err(NoRoute::Method("GET, HEAD")));
    }
}
