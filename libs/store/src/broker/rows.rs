// SPDX-License-Identifier: Apache-2.0
//! Statements over many rows at once, in a few fixed lengths, so that each is prepared once.

use std::fmt::Write;

use crate::query::Statement;

/// How many rows one statement takes: the largest that fits, again and again, until nothing is left.
const LENGTHS: [usize; 4] = [64, 16, 4, 1];

/// Cuts into parts of those lengths.
pub(super) fn parts<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let length = LENGTHS.into_iter().find(|length| *length <= rows.len())?;
        let (part, rest) = rows.split_at_checked(length)?;
        rows = rest;
        Some(part)
    })
}

/// `($1, $2), ($3, $4)`: so many rows of so many columns, after `before` arguments of something else.
pub(super) fn tuples(before: usize, rows: usize, columns: usize) -> String {
    let mut sql = String::with_capacity(rows * columns * 6);
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        push_list(&mut sql, before + row * columns, columns);
        sql.push(')');
    }
    sql
}

/// `$1, $2, $3`: so many arguments, after `before` of something else.
pub(super) fn list(before: usize, arguments: usize) -> String {
    let mut sql = String::with_capacity(arguments * 6);
    push_list(&mut sql, before, arguments);
    sql
}

fn push_list(sql: &mut String, before: usize, arguments: usize) {
    for argument in 1..=arguments {
        let comma = if argument == 1 { "" } else { ", " };
        // Writing to a String cannot fail.
        write!(sql, "{comma}${}", before + argument).ok();
    }
}

/// A statement of SQL that was put together here, of nothing but constants and numbers of arguments.
pub(super) fn statement<'q>(sql: String) -> Statement<'q> {
    sqlx::query(sqlx::AssertSqlSafe(sql))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_part() {
        let rows: Vec<usize> = (0..3 * 64 + 16 + 2).collect();
        let lengths: Vec<_> = parts(&rows).map(<[usize]>::len).collect();
        assert_eq!(lengths, [64, 64, 64, 16, 1, 1]);
        assert_eq!(parts(&rows).flatten().copied().collect::<Vec<_>>(), rows);
        assert_eq!(tuples(1, 2, 2), "($2, $3), ($4, $5)");
        assert_eq!(list(0, 3), "$1, $2, $3");
    }
}
