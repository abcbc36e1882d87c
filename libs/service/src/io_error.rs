// SPDX-License-Identifier: Apache-2.0
//! What went wrong with a file or socket, in words an operator acts on.

use std::io::{Error, ErrorKind};

/// The reason in plain words, with what to do where that is known; for the end of an error message.
#[must_use]
pub fn plain_words(error: &Error) -> String {
    let words = match error.kind() {
        ErrorKind::StorageFull => "the disk is full; free some space on it",
        ErrorKind::QuotaExceeded => "the disk quota is used up; free some space or raise the quota",
        ErrorKind::ReadOnlyFilesystem => "its file system is mounted read-only",
        ErrorKind::PermissionDenied => "permission denied; check the owner and mode",
        ErrorKind::NotFound => "it does not exist",
        ErrorKind::NotADirectory => "a part of its path is not a directory",
        ErrorKind::IsADirectory => "it is a directory, expected a file",
        _ => return error.to_string(),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_reasons_are_told_plainly() {
        for (number, expected) in [(28, "the disk is full; free some space on it"), (13, "permission denied")] {
            let words = plain_words(&Error::from_raw_os_error(number));
            assert!(words.starts_with(expected), "{words}");
        }
    }
}
