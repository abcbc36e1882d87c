// SPDX-License-Identifier: Apache-2.0
//! Certificates: their time, their names, and whether their key is theirs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cress_domain::{Clock, Timestamp};
use cress_service::tls::{CertificateFiles, FileIdentity};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::files;
use super::report::Report;

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// When a certificate is to be renewed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Renewal {
    /// So many days before its end.
    pub(super) days: u32,
    pub(super) remedy: &'static str,
}

const OF_FILES: Renewal =
    Renewal { days: 14, remedy: "renew it; control reads the files again by itself, without a restart" };

/// How much of its life a certificate has left.
pub(super) fn life(
    report: &mut Report,
    check: &'static str,
    what: &str,
    end: Timestamp,
    now: Timestamp,
    renewal: Renewal,
) {
    let left = end.saturating_since(now);
    if end <= now {
        report.problem(check, format!("{what} expired at {}", end.rfc3339()), renewal.remedy);
    } else if left < DAY * renewal.days {
        let message = format!("{what} expires at {}, in {} hours", end.rfc3339(), left.as_secs() / 3_600);
        report.warning(check, message, renewal.remedy);
    } else {
        report.ok(check, format!("{what} is good until {}", end.rfc3339()));
    }
}

/// The certificate and key files of a listener that clients reach by this host name.
pub(super) fn files(report: &mut Report, tls: &CertificateFiles, host: Option<&str>, clock: &Arc<dyn Clock>) {
    if files::readable_by_others(&tls.key_file) {
        files::owners_alone(report, "tls.key_mode", &tls.key_file, "the private key");
    }
    let identity = match FileIdentity::load(tls.clone(), Arc::clone(clock)) {
        Ok(identity) => identity,
        Err(error) => {
            report.problem(
                "tls",
                error.to_string(),
                "put a certificate and its key there: tls.certificate_file, tls.key_file",
            );
            return;
        }
    };
    let what = format!("the certificate {}", tls.certificate_file.display());
    if let Some(end) = identity.identity().not_after() {
        life(report, "tls", &what, end, clock.now(), OF_FILES);
    }
    let chain = identity.identity().chain();
    if let (Some(host), Some(leaf)) = (host, chain.first()) {
        match is_for(leaf, host) {
            true => report.ok("tls.names", format!("{what} is for {host}")),
            false => report.problem(
                "tls.names",
                format!("{what} is not for {host}, at which clients reach control"),
                "get one with that name, or let public_url have a name that it has",
            ),
        }
    }
}

/// Whether a certificate names a host (RFC 6125 section 6.4: a wildcard stands for one whole label).
fn is_for(certificate: &[u8], host: &str) -> bool {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return false };
    let names = parsed.subject_alternative_name().ok().flatten();
    names.is_some_and(|names| names.value.general_names.iter().any(|name| matches(name, host)))
}

fn matches(name: &GeneralName<'_>, host: &str) -> bool {
    match name {
        GeneralName::DNSName(dns) => match (dns.strip_prefix("*."), host.split_once('.')) {
            (Some(parent), Some((label, rest))) => !label.is_empty() && rest.eq_ignore_ascii_case(parent),
            (Some(_), None) => false,
            (None, _) => dns.eq_ignore_ascii_case(host),
        },
        GeneralName::IPAddress(bytes) => match host.parse() {
            Ok(std::net::IpAddr::V4(ip)) => ip.octets() == *bytes,
            Ok(std::net::IpAddr::V6(ip)) => ip.octets() == *bytes,
            Err(_) => false,
        },
        _ => false,
    }
}

/// The first certificate of a PEM text, when it ends.
pub(super) fn end_of(pem: &str) -> Option<Timestamp> {
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject;
    let first = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    let (_, parsed) = X509Certificate::from_der(&first).ok()?;
    Some(Timestamp::from_unix_seconds(parsed.validity().not_after.timestamp()))
}

/// Whether a file holds just these certificates.
pub(super) fn file_holds(path: &Path, certificates: &[Vec<u8>]) -> bool {
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject;
    let Ok(text) = std::fs::read(path) else { return false };
    let there: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    there.is_ok_and(|there| {
        there.len() == certificates.len() && there.iter().zip(certificates).all(|(one, other)| **one == **other)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_clients_do() {
        let dns = |name| GeneralName::DNSName(name);
        for (name, host, fits) in [
            ("control.example", "control.example", true),
            ("control.example", "CONTROL.example", true),
            ("*.example", "control.example", true),
            ("*.example", "a.control.example", false),
            ("*.example", "example", false),
            ("control.example", "other.example", false),
        ] {
            assert_eq!(matches(&dns(name), host), fits, "{name} {host}");
        }
        assert!(matches(&GeneralName::IPAddress(&[127, 0, 0, 1]), "127.0.0.1"));
        assert!(!matches(&GeneralName::IPAddress(&[127, 0, 0, 1]), "127.0.0.2"));
    }

    #[test]
    fn the_end_of_a_life_is_told_before() {
        let at = Timestamp::from_unix_seconds;
        let renewal = Renewal { days: 1, remedy: "renew it" };
        for (end, status) in [(1_000_000, "ok"), (80_000, "warning"), (0, "problem"), (-5, "problem")] {
            let mut report = Report::new();
            life(&mut report, "tls", "it", at(end), at(0), renewal);
            assert_eq!(serde_json::to_value(report.status()).unwrap(), status, "{end}");
        }
    }
}
