// SPDX-License-Identifier: Apache-2.0
//! Everything that is printed. Results go to standard output, errors to standard error; colour only on terminals.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Tables and sentences.
    Human,
    /// JSON, one document a command.
    Json,
}

impl Format {
    pub(crate) const fn of(json: bool) -> Self {
        if json { Self::Json } else { Self::Human }
    }
}

/// Prints a line. A reader that has gone away is no error of ours.
pub(crate) fn line(text: impl Display) -> anyhow::Result<()> {
    ignore_closed(writeln!(io::stdout().lock(), "{text}"))
}

/// Prints a value as one JSON document.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string_pretty(value)?)
}

/// Prints an error with its causes in one line.
pub(crate) fn error(error: &anyhow::Error) {
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let word = if colour { "\u{1b}[1;31merror\u{1b}[0m" } else { "error" };
    let _closed = writeln!(io::stderr().lock(), "{word}: {error:#}");
}

/// Prints what is to be known beside the result, which it must not mix with.
pub(crate) fn note(text: impl Display) {
    let _closed = writeln!(io::stderr().lock(), "{text}");
}

/// Prints rows under headings, each column as wide as it must be.
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> anyhow::Result<()> {
    let mut widths = headings.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = io::stdout().lock();
    let lines = std::iter::once(headings.map(str::to_owned)).chain(rows.iter().cloned());
    for cells in lines {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        let text = padded.collect::<Vec<_>>().join("  ");
        ignore_closed(writeln!(out, "{}", text.trim_end()))?;
    }
    Ok(())
}

fn ignore_closed(result: io::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}
