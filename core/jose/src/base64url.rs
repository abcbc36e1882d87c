// SPDX-License-Identifier: Apache-2.0
//! Base64url as RFC 7515 section 2 has it: no padding, and one spelling for each sequence of bytes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A text that is not canonical base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotCanonical;

/// Decodes; padding, whitespace, foreign characters and non-zero trailing bits are refused.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, NotCanonical> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| NotCanonical)
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn encode_into(bytes: &[u8], text: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

/// Characters that this many bytes become.
pub(crate) const fn encoded_length(bytes: usize) -> usize {
    bytes.saturating_mul(4).div_ceil(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_exact() {
        for length in 0..300 {
            assert_eq!(encode(&vec![7; length]).len(), encoded_length(length));
        }
    }

    #[test]
    fn only_the_canonical_spelling_decodes() {
        assert_eq!(decode("-_8"), Ok(vec![0xfb, 0xff]));
        for bad in ["-_9", "-_8=", "+/8", "-_8 ", " -_8", "-_\n8", "A", "-_8.", "-_8\0", "é"] {
            assert_eq!(decode(bad), Err(NotCanonical), "{bad:?}");
        }
    }
}
