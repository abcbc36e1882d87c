// SPDX-License-Identifier: Apache-2.0
//! serde's messages in the words of those who write the data.

/// How serde's messages begin that repeat what came, all of which end with ", expected ...".
pub(crate) const STARTS: [&str; 4] = ["invalid type: ", "invalid value: ", "invalid length ", "unknown variant `"];

/// Of "invalid type: string \"x\", expected u16" what came and what was expected, the latter in plain words. `table` is the
/// format's word for something with members.
pub(crate) fn got_and_expected<'a>(message: &'a str, table: &'a str) -> Option<(&'a str, &'a str)> {
    let rest = STARTS.iter().find_map(|start| message.strip_prefix(start))?;
    let (got, expected) = rest.rsplit_once(", expected ")?;
    Some((got, plain(expected, table)))
}

/// Names of types in the source code help nobody.
fn plain<'a>(expected: &'a str, table: &'a str) -> &'a str {
    match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number from 0",
        "i32" => "a whole number from -2147483648 to 2147483647",
        "i64" => "a whole number",
        "f32" | "f64" => "a number",
        _ if ["struct ", "internally tagged enum ", "a map"].iter().any(|start| expected.starts_with(start)) => table,
        _ => expected,
    }
}
