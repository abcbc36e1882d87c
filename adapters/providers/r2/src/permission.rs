// SPDX-License-Identifier: Apache-2.0
//! What a credential may do with its bucket.

use std::str::FromStr;

use serde::Deserialize;

/// The four permissions that R2 knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Permission {
    /// Objects and the bucket's own settings.
    AdminReadWrite,
    /// The same, to be read.
    AdminReadOnly,
    /// Objects.
    ObjectReadWrite,
    /// Objects, to be read.
    ObjectReadOnly,
}

impl Permission {
    const ALL: [Self; 4] = [Self::AdminReadWrite, Self::AdminReadOnly, Self::ObjectReadWrite, Self::ObjectReadOnly];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::AdminReadWrite => "admin-read-write",
            Self::AdminReadOnly => "admin-read-only",
            Self::ObjectReadWrite => "object-read-write",
            Self::ObjectReadOnly => "object-read-only",
        }
    }

    /// Whether it allows everything that the other one does.
    pub(crate) const fn includes(self, other: Self) -> bool {
        (self.is_admin() || !other.is_admin()) && (self.writes() || !other.writes())
    }

    const fn is_admin(self) -> bool {
        matches!(self, Self::AdminReadWrite | Self::AdminReadOnly)
    }

    const fn writes(self) -> bool {
        matches!(self, Self::AdminReadWrite | Self::ObjectReadWrite)
    }
}

impl FromStr for Permission {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|permission| permission.as_str() == text).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_includes_itself_and_what_is_less() {
        let included = |from: Permission| Permission::ALL.map(|to| from.includes(to));
        assert_eq!(included(Permission::AdminReadWrite), [true, true, true, true]);
        assert_eq!(included(Permission::AdminReadOnly), [false, true, false, true]);
        assert_eq!(included(Permission::ObjectReadWrite), [false, false, true, true]);
        assert_eq!(included(Permission::ObjectReadOnly), [false, false, false, true]);
    }
}
