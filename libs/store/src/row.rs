// SPDX-License-Identifier: Apache-2.0
//! Turns columns into the domain's types. What cannot be turned was not written by cress, and is named.

use std::fmt::Display;
use std::str::FromStr;

use cress_domain::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{Any, Decode, Row, Type};

use crate::{Sealed, StoreError};

/// Reads the columns of a row by name.
pub(crate) trait Columns {
    /// A column as the driver has it.
    fn raw<'r, T: Decode<'r, Any> + Type<Any>>(&'r self, column: &'static str) -> Result<T, StoreError>;

    /// A text that is an id, a name, a hash or the like.
    fn parsed<T: FromStr<Err: Display>>(&self, column: &'static str) -> Result<T, StoreError> {
        parse(self.raw(column)?, column)
    }

    /// The same, or NULL.
    fn parsed_or_null<T: FromStr<Err: Display>>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        self.raw::<Option<&str>>(column)?.map(|text| parse(text, column)).transpose()
    }

    /// A number within the bounds of its type.
    fn number<T: TryFrom<i64, Error: Display>>(&self, column: &'static str) -> Result<T, StoreError> {
        let number: i64 = self.raw(column)?;
        number.try_into().map_err(|error| unreadable(column, error))
    }

    /// The same, or NULL.
    fn number_or_null<T: TryFrom<i64, Error: Display>>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        let number: Option<i64> = self.raw(column)?;
        number.map(|number| number.try_into().map_err(|error| unreadable(column, error))).transpose()
    }

    /// A moment.
    fn moment(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        self.raw(column).map(Timestamp::from_unix_microseconds)
    }

    /// The same, or NULL.
    fn moment_or_null(&self, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.raw::<Option<i64>>(column)?.map(Timestamp::from_unix_microseconds))
    }

    /// The columns `key_encryption_key` and `envelope`.
    fn sealed(&self) -> Result<Sealed, StoreError> {
        Ok(Sealed { key_encryption_key: self.raw("key_encryption_key")?, bytes: self.raw("envelope")? })
    }
}

impl Columns for AnyRow {
    fn raw<'r, T: Decode<'r, Any> + Type<Any>>(&'r self, column: &'static str) -> Result<T, StoreError> {
        Ok(self.try_get(column)?)
    }
}

fn parse<T: FromStr<Err: Display>>(text: &str, column: &'static str) -> Result<T, StoreError> {
    text.parse().map_err(|error| unreadable(column, error))
}

/// The row exists but makes no sense. It never quotes the value.
pub(crate) fn unreadable(column: &'static str, error: impl Display) -> StoreError {
    StoreError::permanent(format!(
        "the database holds a {column} that cannot be read ({error}); restore it from a backup"
    ))
}
