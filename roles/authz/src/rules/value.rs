// SPDX-License-Identifier: Apache-2.0
//! Claims as values of headers.
//!
//! What a tenant chose must not end a header, begin another, or look like two items where it is one: everything but visible
//! ASCII is percent-encoded (as UTF-8), and so are the percent sign, the comma, the double quote and the backslash. Items of a list are joined by
//! commas. Undone, a list is cut at commas first and each item percent-decoded then.

use http::HeaderValue;
use serde_json::Value;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// The value of a header for a claim: text as it is, numbers and truth values as JSON writes them, lists of these. Null,
/// objects and lists of lists say nothing. None if it would be longer than `bytes_max`.
pub(super) fn write_value(claim: &Value, bytes_max: usize) -> Option<HeaderValue> {
    let mut written = Vec::new();
    match claim {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    written.push(b',');
                }
                write_scalar(item, &mut written);
                if written.len() > bytes_max {
                    return None;
                }
            }
        }
        scalar => write_scalar(scalar, &mut written),
    }
    if written.len() > bytes_max {
        return None;
    }
    // Nothing but visible ASCII was written, so this cannot fail.
    HeaderValue::from_maybe_shared(bytes::Bytes::from(written)).ok()
}

fn write_scalar(value: &Value, written: &mut Vec<u8>) {
    match value {
        Value::String(text) => write_encoded(text, written),
        Value::Number(number) => write_encoded(&number.to_string(), written),
        Value::Bool(true) => written.extend_from_slice(b"true"),
        Value::Bool(false) => written.extend_from_slice(b"false"),
        Value::Null | Value::Array(_) | Value::Object(_) => {}
    }
}

fn write_encoded(text: &str, written: &mut Vec<u8>) {
    for byte in text.bytes() {
        if matches!(byte, 0x21..=0x7e) && !matches!(byte, b'%' | b',' | b'"' | b'\\') {
            written.push(byte);
        } else {
            let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
            written.extend([b'%', digit(byte >> 4), digit(byte & 0x0f)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn claims_are_written_so_that_they_stay_one_value() {
        for (claim, value) in [
            (json!("worker"), "worker"),
            (json!(""), ""),
            (json!("https://issuer.example/x?y=1&z"), "https://issuer.example/x?y=1&z"),
            (json!("a b"), "a%20b"),
            (json!(" a"), "%20a"),
            (json!("a,b"), "a%2Cb"),
            (json!("100%"), "100%25"),
            (json!("a\r\nX-Admin: yes"), "a%0D%0AX-Admin:%20yes"),
            (json!("é"), "%C3%A9"),
            (json!("\u{0}\u{7f}\"\\"), "%00%7F%22%5C"),
            (json!(3), "3"),
            (json!(-1.5), "-1.5"),
            (json!(true), "true"),
            (json!(["a", "b,c", 3, false]), "a,b%2Cc,3,false"),
            (json!(["a", null, {"x":1}]), "a,,"),
            (json!([]), ""),
            (json!(null), ""),
            (json!({"x":1}), ""),
        ] {
            assert_eq!(write_value(&claim, 100).unwrap(), value, "{claim}");
        }
        assert_eq!(write_value(&json!("a".repeat(101)), 100), None);
        assert_eq!(write_value(&json!(vec!["é"; 30]), 100), None);
    }

    proptest! {
        #[test]
        fn whatever_a_tenant_chose_comes_back_as_it_was(text in any::<String>()) {
            let value = write_value(&json!(text), usize::MAX).unwrap();
            let written = value.to_str().unwrap();
            prop_assert!(written.bytes().all(|byte| matches!(byte, 0x21..=0x7e) && byte != b','));
            let mut decoded = Vec::new();
            let mut bytes = written.bytes();
            while let Some(byte) = bytes.next() {
                if byte == b'%' {
                    let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                    decoded.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
                } else {
                    decoded.push(byte);
                }
            }
            prop_assert_eq!(String::from_utf8(decoded).unwrap(), text);
        }
    }
}
