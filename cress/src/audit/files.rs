// SPDX-License-Identifier: Apache-2.0
//! Records in files, line by line, however large the files are.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use cress_broker::audit::verify::{LINE_BYTES_MAX, Verifier};
use cress_service::plain_words;

/// A piece of a file.
enum Piece<'a> {
    /// A line without its newline.
    Line(&'a [u8]),
    /// What stands behind the last newline.
    Rest(&'a [u8]),
}

/// Has all lines of the files looked at, in the order in which the files are given: the oldest first.
pub(super) fn walk(verifier: &mut Verifier, files: &[PathBuf]) -> anyhow::Result<()> {
    for file in files {
        each(file, |_, piece| {
            let (Piece::Line(line) | Piece::Rest(line)) = piece;
            verifier.prepare(line);
        })?;
    }
    for file in files {
        each(file, |number, piece| {
            let place = format!("{} line {number}", file.display());
            match piece {
                Piece::Line(line) => verifier.line(&place, line),
                Piece::Rest(rest) => verifier.rest(&place, rest),
            }
        })?;
    }
    Ok(())
}

fn each(path: &Path, mut see: impl FnMut(u64, Piece<'_>)) -> anyhow::Result<()> {
    let cannot = || format!("cannot read {}", path.display());
    let opened = File::open(path).map_err(|error| anyhow::anyhow!(plain_words(&error))).with_context(cannot)?;
    let mut reader = BufReader::new(opened);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let limit = LINE_BYTES_MAX as u64 + 1;
        let read = reader.by_ref().take(limit).read_until(b'\n', &mut line);
        read.map_err(|error| anyhow::anyhow!(plain_words(&error))).with_context(cannot)?;
        match line.strip_suffix(b"\n") {
            // A line that is too long comes in pieces, none of which is a line of records.
            Some(whole) => see(number, Piece::Line(whole)),
            None if line.len() as u64 == limit => see(number, Piece::Line(&line)),
            None => {
                see(number, Piece::Rest(&line));
                break;
            }
        }
    }
    Ok(())
}
