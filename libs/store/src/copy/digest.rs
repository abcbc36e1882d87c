// SPDX-License-Identifier: Apache-2.0
//! What a table holds, as one number that does not depend on the order of its rows, which differs between engines.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use cress_domain::Hex;

/// One value of a row.
pub(super) enum Value {
    Text(Option<String>),
    Number(Option<i64>),
    Bytes(Option<Vec<u8>>),
}

/// The rows of a table: how many, and the sum of their SHA-256 values. Guards against mistakes, not against someone who makes rows up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableDigest {
    rows: u64,
    sum: [u64; 4],
}

impl TableDigest {
    /// How many rows there are.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds a row.
    pub(super) fn add(&mut self, row: &[Value]) {
        let mut context = Context::new(&SHA256);
        for value in row {
            value.write(&mut context);
        }
        self.rows += 1;
        let hash = context.finish();
        for (sum, part) in self.sum.iter_mut().zip(hash.as_ref().chunks_exact(8)) {
            let part = part.try_into().map_or(0, u64::from_be_bytes);
            *sum = sum.wrapping_add(part);
        }
    }
}

impl Value {
    /// With its kind and length, so that no two rows are written alike.
    fn write(&self, context: &mut Context) {
        let (kind, bytes): (u8, Option<&[u8]>) = match self {
            Self::Text(text) => (1, text.as_deref().map(str::as_bytes)),
            Self::Bytes(bytes) => (2, bytes.as_deref()),
            Self::Number(number) => {
                context.update(&[3, u8::from(number.is_some())]);
                context.update(&number.unwrap_or_default().to_be_bytes());
                return;
            }
        };
        context.update(&[kind, u8::from(bytes.is_some())]);
        let bytes = bytes.unwrap_or_default();
        context.update(&(bytes.len() as u64).to_be_bytes());
        context.update(bytes);
    }
}

impl fmt::Display for TableDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: Vec<u8> = self.sum.iter().flat_map(|part| part.to_be_bytes()).collect();
        Hex(&bytes).fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(rows: &[&[&str]]) -> TableDigest {
        let mut digest = TableDigest::default();
        for row in rows {
            let row: Vec<_> = row.iter().map(|text| Value::Text(Some((*text).to_owned()))).collect();
            digest.add(&row);
        }
        digest
    }

    #[test]
    fn it_tells_tables_apart_but_not_orders() {
        assert_eq!(digest(&[&["a", "b"], &["c", "d"]]), digest(&[&["c", "d"], &["a", "b"]]));
        for other in [&[&["a", "b"][..], &["c", "e"]][..], &[&["ab", ""], &["c", "d"]], &[&["a", "b"]], &[]] {
            assert_ne!(digest(&[&["a", "b"], &["c", "d"]]), digest(other), "{other:?}");
        }
        let mut null = TableDigest::default();
        null.add(&[Value::Text(None)]);
        assert_ne!(null, digest(&[&[""]]));
    }
}
