// SPDX-License-Identifier: Apache-2.0
//! File names made from key ids. An id is written by the issuer, or by whoever speaks in its place: it must never become a path,
//! an option, a hidden file, or anything that a shell or a configuration takes for more than a name.

use std::fmt::Write;

use aws_lc_rs::digest::{SHA256, digest};
use cress_domain::{Hex, KeyId};

/// Longest name that spells its key's id. File systems take 255 bytes, of which a new file's temporary name needs some.
const SPELT_BYTES_MAX: usize = 200;

/// The name that a key's file has, without its ending: letters, digits, `_`, `-` and `.` as they are, but for a `.` or `-` in front;
/// every other byte as `=` and two hexadecimal digits. Too long a name becomes `=sha256-` and the hash of the id, which no id is
/// spelt as. Different ids have different names.
pub(super) fn of_key(kid: &KeyId) -> String {
    let mut name = String::new();
    for byte in kid.as_str().bytes() {
        let plain = byte.is_ascii_alphanumeric() || byte == b'_' || (matches!(byte, b'-' | b'.') && !name.is_empty());
        // Writing to a text does not fail.
        let _written = if plain { write!(name, "{}", char::from(byte)) } else { write!(name, "={byte:02X}") };
    }
    if name.len() > SPELT_BYTES_MAX { hashed(kid) } else { name }
}

/// Whether a name can have been made here.
pub(super) fn is_plain(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'=');
    !name.is_empty() && !name.starts_with(['.', '-']) && name.bytes().all(allowed)
}

fn hashed(kid: &KeyId) -> String {
    format!("=sha256-{}", Hex(digest(&SHA256, kid.as_str().as_bytes()).as_ref()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn name(kid: &str) -> String {
        of_key(&kid.parse().unwrap())
    }

    #[test]
    fn hostile_ids_become_harmless_names() {
        for (kid, expected) in [
            ("salad-workload-2025-03-19T16:59:51.0020098Z", "salad-workload-2025-03-19T16=3A59=3A51.0020098Z"),
            ("../../etc/passwd", "=2E.=2F..=2Fetc=2Fpasswd"),
            ("..", "=2E."),
            (".", "=2E"),
            ("/", "=2F"),
            (".hidden", "=2Ehidden"),
            ("-rf", "=2Drf"),
            ("a=2Fb", "a=3D2Fb"),
            ("$(id)`id`;'|&", "=24=28id=29=60id=60=3B=27=7C=26"),
            ("a%2fb,c)#", "a=252fb=2Cc=29=23"),
            ("=sha256-00", "=3Dsha256-00"),
        ] {
            assert_eq!(name(kid), expected);
            assert!(is_plain(expected));
        }
        for bad in ["", ".", "..", "../a", "a/b", "-a", "a b", "a\0", "a\\b"] {
            assert!(!is_plain(bad), "{bad:?}");
        }
    }

    #[test]
    fn each_id_has_a_name_of_its_own_that_fits() {
        let long: Vec<String> = (199..=255).map(|length| "k".repeat(length)).collect();
        let slashes: Vec<String> = (1..=255).map(|length| "/".repeat(length)).collect();
        let names: BTreeSet<String> = long.iter().chain(&slashes).map(|kid| name(kid)).collect();
        assert_eq!(names.len(), long.len() + slashes.len());
        assert!(names.iter().all(|name| name.len() <= SPELT_BYTES_MAX && is_plain(name)));
    }
}
