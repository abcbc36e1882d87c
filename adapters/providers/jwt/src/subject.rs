// SPDX-License-Identifier: Apache-2.0
//! The subject of a token: one for each workload, whichever machine it runs on, and never the same for two workloads.

use aws_lc_rs::digest::{SHA256, digest};
use cress_domain::Hex;
use cress_provider::{ProviderError, Subject};

use crate::error;

/// Longest id that is taken over from a token.
const ID_BYTES_MAX: usize = 255;
/// How much of its issuer's hash stands in a subject.
const ISSUER_HASH_BYTES: usize = 8;

/// `group:<issuer>:<group id>`, or, for issuers that know no container groups, `subject:<issuer>:<sub>`; the issuer by the first 16
/// hexadecimal digits of its SHA-256, since ids of one issuer mean nothing with another. A URI, as RFC 7519 section 2 demands of a
/// subject with a colon in it.
pub(crate) fn subject(subject: &Subject) -> Result<String, ProviderError> {
    let hash = digest(&SHA256, subject.issuer.as_str().as_bytes());
    let issuer = Hex(hash.as_ref().get(..ISSUER_HASH_BYTES).unwrap_or_default());
    match (&subject.group_id, &subject.subject) {
        (Some(group), _) => Ok(format!("group:{issuer}:{}", escaped(id("group_id", group)?))),
        (None, Some(sub)) => Ok(format!("subject:{issuer}:{}", escaped(id("sub", sub)?))),
        (None, None) => Err(error::no_subject()),
    }
}

/// An id as it is, if it can be one.
pub(crate) fn id<'a>(claim: &'static str, value: &'a str) -> Result<&'a str, ProviderError> {
    let fits = (1..=ID_BYTES_MAX).contains(&value.len()) && !value.chars().any(char::is_control);
    if fits { Ok(value) } else { Err(error::bad_id(claim, value.len())) }
}

/// Percent-encoded but for what a path of a URI may hold (RFC 3986 section 3.3). Two texts never become one.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(issuer: &str, group: Option<&str>, sub: Option<&str>) -> Result<String, ProviderError> {
        let (group_id, sub) = (group.map(str::to_owned), sub.map(str::to_owned));
        subject(&Subject {
            issuer: issuer.parse().unwrap(),
            subject: sub,
            organization_id: Some("o".to_owned()),
            group_id,
            instance_id: Some("i".to_owned()),
            machine_id: Some("m".to_owned()),
        })
    }

    #[test]
    fn a_workload_has_one_subject_and_no_two_have_the_same() {
        let group = "2c3573b6-88de-4067-821f-1af088bd9c6a";
        let one = of("https://a.example", Some(group), Some("instance:1")).unwrap();
        assert_eq!(one, of("https://a.example", Some(group), Some("instance:2")).unwrap());
        assert!(one.starts_with("group:") && one.ends_with(&format!(":{group}")) && one.len() == 59, "{one}");
        let others = [
            of("https://b.example", Some(group), None).unwrap(),
            of("https://a.example", None, Some(group)).unwrap(),
            of("https://a.example", None, Some("system:serviceaccount:default:web")).unwrap(),
            of("https://a.example", None, Some("a b")).unwrap(),
            of("https://a.example", None, Some("a%20b")).unwrap(),
            of("https://a.example", None, Some("a\u{fc}b")).unwrap(),
        ];
        assert!(others[2].ends_with(":system:serviceaccount:default:web"));
        assert!(others[3].ends_with(":a%20b") && others[4].ends_with(":a%2520b") && others[5].ends_with(":a%C3%BCb"));
        for (position, other) in others.iter().enumerate() {
            assert!(other != &one && !others[..position].contains(other), "{other}");
        }
    }

    #[test]
    fn what_cannot_be_an_id_is_refused() {
        for bad in [Some(""), Some("a\nb"), Some("a\0"), Some(&*"x".repeat(256)), None] {
            assert!(of("https://a.example", None, bad).is_err(), "{bad:?} was accepted");
        }
    }
}
