// SPDX-License-Identifier: Apache-2.0
//! Paths with but one meaning.
//!
//! A proxy matches its locations, this service its rules, and the server behind its routes, each on what it makes of a path:
//! one decodes `%2e%2e`, one merges `//`, one cuts `;x=y`, one takes `\` for `/`. A path that any of them might read
//! differently is refused rather than repaired: a repaired one would be decided upon, and the other one served.
//!
//! Refused are: no slash at the start; an empty segment, `.` or `..`; a backslash, a semicolon, a number sign; anything that
//! is no printable ASCII; a percent sign without two hexadecimal digits; and the percent-encoding of a letter, digit,
//! `-._~`, `/`, `\`, `;`, `%`, `#`, `?` or a control character, or of what is no UTF-8 (`%C0%AE`, which some take for a dot). What may still be encoded (a space, `@`, `é` ...) cannot stand in a
//! rule's path, so that it never matters whether it is.

/// The longest path, in bytes: longer than any proxy takes by default.
const BYTES_MAX: usize = 32 * 1024;

/// What is wrong with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathError {
    #[error("expected a path that begins with a slash")]
    NoSlash,
    #[error("expected a path of at most {BYTES_MAX} bytes")]
    TooLong,
    #[error("expected a path without empty segments (//)")]
    EmptySegment,
    #[error("expected a path without dot segments (. or ..)")]
    DotSegment,
    #[error("expected a path without backslashes, semicolons and number signs")]
    Separator,
    #[error("expected a path of printable ASCII")]
    NotPrintable,
    #[error("expected two hexadecimal digits after each percent sign of the path")]
    Percent,
    #[error("expected a path without the percent-encoding of letters, digits, -._~, separators and control characters")]
    Encoded,
    #[error("expected a path whose percent-encoded bytes are UTF-8")]
    NotUtf8,
}

/// The path of a request target, without its query, if it can be only one thing.
pub(crate) fn check_path(target: &str) -> Result<&str, PathError> {
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    if path.len() > BYTES_MAX {
        return Err(PathError::TooLong);
    }
    let rest = path.strip_prefix('/').ok_or(PathError::NoSlash)?;
    check_bytes(path.as_bytes())?;
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        match segment {
            // The last one may be: /reports/
            "" if segments.peek().is_some() => return Err(PathError::EmptySegment),
            "." | ".." => return Err(PathError::DotSegment),
            _ => {}
        }
    }
    Ok(path)
}

fn check_bytes(path: &[u8]) -> Result<(), PathError> {
    let mut bytes = path.iter();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' | b';' | b'#' => return Err(PathError::Separator),
            b'%' => {
                let digits = (bytes.next().and_then(hex), bytes.next().and_then(hex));
                let (Some(high), Some(low)) = digits else { return Err(PathError::Percent) };
                let byte = high * 16 + low;
                if has_meaning(byte) {
                    return Err(PathError::Encoded);
                }
                decoded.push(byte);
            }
            // What stands between two encoded bytes keeps them apart.
            0x21..=0x7e if !decoded.is_empty() => decoded.push(*byte),
            0x21..=0x7e => {}
            _ => return Err(PathError::NotPrintable),
        }
    }
    if str::from_utf8(&decoded).is_ok() { Ok(()) } else { Err(PathError::NotUtf8) }
}

/// Whether someone might decode this and then do something else with the path.
const fn has_meaning(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || byte.is_ascii_control()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/' | b'\\' | b';' | b'%' | b'#' | b'?')
}

fn hex(digit: &u8) -> Option<u8> {
    char::from(*digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Whether a rule may have this path: nothing in it may be encoded otherwise in a request that passes [`check_path`].
pub(crate) fn is_rule_path(path: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    check_path(path).is_ok() && path.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_one_meaning_pass() {
        for (target, path) in [
            ("/", "/"),
            ("/a", "/a"),
            ("/a/", "/a/"),
            ("/a/b.c/d-e_f~g", "/a/b.c/d-e_f~g"),
            ("/a?x=/../;%2e", "/a"),
            ("/a%20b/%C3%A9/%40x", "/a%20b/%C3%A9/%40x"),
            ("/a/.well-known/...", "/a/.well-known/..."),
            ("/a:b@c,d=e+f!$&'()*[x]", "/a:b@c,d=e+f!$&'()*[x]"),
            ("/?", "/"),
        ] {
            assert_eq!(check_path(target), Ok(path), "{target}");
        }
    }

    #[test]
    fn paths_with_two_meanings_are_refused() {
        for (target, error) in [
            ("", PathError::NoSlash),
            ("*", PathError::NoSlash),
            ("a/b", PathError::NoSlash),
            ("http://host/a", PathError::NoSlash),
            ("//", PathError::EmptySegment),
            ("//a", PathError::EmptySegment),
            ("/a//b", PathError::EmptySegment),
            ("/a//", PathError::EmptySegment),
            ("/.", PathError::DotSegment),
            ("/..", PathError::DotSegment),
            ("/a/../b", PathError::DotSegment),
            ("/a/./b", PathError::DotSegment),
            ("/a/..", PathError::DotSegment),
            ("/a\\b", PathError::Separator),
            ("/a;b", PathError::Separator),
            ("/a/..;/b", PathError::Separator),
            ("/a#b", PathError::Separator),
            ("/a b", PathError::NotPrintable),
            ("/a\tb", PathError::NotPrintable),
            ("/é", PathError::NotPrintable),
            ("/%", PathError::Percent),
            ("/%2", PathError::Percent),
            ("/%zz", PathError::Percent),
            ("/%2e%2e/a", PathError::Encoded),
            ("/%2E", PathError::Encoded),
            ("/a%2fb", PathError::Encoded),
            ("/a%5cb", PathError::Encoded),
            ("/a%3bb", PathError::Encoded),
            ("/a%252fb", PathError::Encoded),
            ("/%61dmin", PathError::Encoded),
            ("/a%00", PathError::Encoded),
            ("/a%0d%0aX:y", PathError::Encoded),
            ("/a%3fb", PathError::Encoded),
            ("/%C0%AE%C0%AE/a", PathError::NotUtf8),
            ("/a%C0%AFb", PathError::NotUtf8),
            ("/%E0%80%AE", PathError::NotUtf8),
            ("/%ED%A0%80", PathError::NotUtf8),
            ("/%FF", PathError::NotUtf8),
            ("/%C3", PathError::NotUtf8),
            ("/%C3/%A9", PathError::NotUtf8),
            ("/%C3x%A9", PathError::NotUtf8),
        ] {
            assert_eq!(check_path(target), Err(error), "{target}");
        }
        assert_eq!(check_path(&format!("/{}", "a".repeat(BYTES_MAX))), Err(PathError::TooLong));
    }

    #[test]
    fn a_rules_path_holds_nothing_that_could_be_encoded() {
        for path in ["/", "/a", "/a/b-c_d.e~f", "/a/"] {
            assert!(is_rule_path(path), "{path}");
        }
        for path in ["", "a", "/a b", "/@a", "/a%20b", "/a?b", "/a/../b", "//", "/a*", "/é"] {
            assert!(!is_rule_path(path), "{path}");
        }
    }
}
