// SPDX-License-Identifier: Apache-2.0
//! Variables of the environment that other PostgreSQL programs go by, and that the driver would take where the URL says nothing: whom
//! to trust, who to be, how the session is set. They are refused rather than followed, since what protects the database is to stand in
//! cress's own settings alone. Never reads their values.

use crate::StoreError;
use crate::database_url::{PostgresAddress, TlsMode};

/// Refuses what would be taken from the environment; `is_set` says which variables there are.
pub(super) fn check(address: &PostgresAddress, is_set: impl Fn(&str) -> bool) -> Result<(), StoreError> {
    let uses_tls = address.tls != TlsMode::Disable;
    let no_certificate = address.client_certificate.is_none();
    let taken = [
        ("PGOPTIONS", true, "set what it says for the database's user, with ALTER ROLE ... SET"),
        ("PGSSLROOTCERT", uses_tls && address.root_certificates.is_none(), "say it in the URL, as sslrootcert"),
        ("PGSSLCERT", uses_tls && no_certificate, "say it in the URL, as sslcert and sslkey"),
        ("PGSSLKEY", uses_tls && no_certificate, "say it in the URL, as sslcert and sslkey"),
    ];
    match taken.into_iter().find(|(name, counts, _)| *counts && is_set(name)) {
        None => Ok(()),
        Some((name, _, instead)) => Err(StoreError::permanent(format!(
            "the environment has {name}, which would change how the database is connected to without anyone having configured it; unset it, \
             and if it is meant, {instead}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_taken_from_the_environment() {
        const TLS: &str = "postgres://me@db.example/cress";
        const CERTIFICATES: &str = "postgres://me@db.example/cress?sslrootcert=/a&sslcert=/b&sslkey=/c";
        const PLAIN: &str = "postgres://me@127.0.0.1/cress";
        for (url, set, refused) in [
            (TLS, "PGOPTIONS", true),
            (CERTIFICATES, "PGOPTIONS", true),
            (PLAIN, "PGOPTIONS", true),
            (TLS, "PGSSLROOTCERT", true),
            (TLS, "PGSSLCERT", true),
            (TLS, "PGSSLKEY", true),
            (CERTIFICATES, "PGSSLROOTCERT", false),
            (CERTIFICATES, "PGSSLCERT", false),
            (PLAIN, "PGSSLROOTCERT", false),
            (TLS, "PGHOST", false),
            (TLS, "PGPASSWORD", false),
        ] {
            let outcome = check(&PostgresAddress::parse(url).unwrap(), |name| name == set);
            assert_eq!(outcome.is_err(), refused, "{url} {set}");
            assert!(outcome.err().is_none_or(|error| error.to_string().contains(set)));
        }
    }
}
