// SPDX-License-Identifier: Apache-2.0
//! Bytes as hexadecimal digits: lower case only, so that one value has exactly one spelling.

use std::fmt;

/// Shows bytes as hexadecimal digits. Not for secrets: it shows all of them.
#[derive(Debug, Clone, Copy)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// The bytes that [`Hex`] shows so; none if it shows nothing so.
#[must_use]
pub fn parse_hex<const BYTES: usize>(text: &str) -> Option<[u8; BYTES]> {
    let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 2 * BYTES || !text.bytes().all(lower_hex) {
        return None;
    }
    let mut bytes = [0; BYTES];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_one_spelling() {
        let bytes = [0x00, 0x0a, 0xff];
        assert_eq!(Hex(&bytes).to_string(), "000aff");
        assert_eq!(parse_hex("000aff"), Some(bytes));
        for bad in ["", "000af", "000aff0", "000AFF", "+00aff", "00 aff", "000ag0", "\u{e4}\u{e4}\u{e4}"] {
            assert_eq!(parse_hex::<3>(bad), None, "{bad}");
        }
    }
}
