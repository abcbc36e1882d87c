// SPDX-License-Identifier: Apache-2.0
//! How long the default token of a container group is: clients refuse one of more than 1,000 characters. Checked whenever a group is
//! written, and of all groups when control starts, since issuer and key ids may have become longer since.

use std::fmt;
use std::sync::Arc;

use cress_api::Problem;
use cress_domain::limits::DEFAULT_TOKEN_BYTES_MAX;
use cress_domain::{ExtraClaims, Issuer, Name};
use cress_token::default_token_length;

use crate::fleet::GroupFacts;

/// Each character of a name or claim takes four thirds of a character in the token, since header and payload are written in base64url.
const CHARACTERS_PER_BYTE: (usize, usize) = (4, 3);
/// Groups that an error names; of the others it gives the number.
const GROUPS_NAMED_MAX: usize = 5;

/// All that the length of a token depends on beside its container group.
#[derive(Debug, Clone)]
pub(crate) struct TokenShape {
    /// Who signs.
    pub(crate) issuer: Issuer,
    /// The length of a key id: that of its prefix and of a time.
    pub(crate) kid_bytes: usize,
}

/// Whose token it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) organization: &'a Name,
    pub(super) group: &'a Name,
}

/// Stored container groups whose tokens would be too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokensTooLong {
    /// By how many characters, and the names of organization, project and group; the longest token first. Never empty.
    groups: Vec<(usize, String)>,
}

impl TokenShape {
    /// Checks the token of a group with these names and claims.
    pub(super) fn check(&self, extra: &ExtraClaims, names: Names<'_>) -> Result<(), Box<Problem>> {
        match self.excess(extra, names) {
            0 => Ok(()),
            excess => Err(Box::new(too_long(excess, extra, names, self))),
        }
    }

    /// Checks the tokens of all groups that there are.
    ///
    /// # Errors
    /// [`TokensTooLong`]
    pub(crate) fn check_stored(&self, groups: &[Arc<GroupFacts>]) -> Result<(), TokensTooLong> {
        let excess = |group: &GroupFacts| {
            self.excess(&group.extra_claims, Names { organization: &group.organization_name, group: &group.name })
        };
        let too_long = groups.iter().map(|group| (excess(group), group)).filter(|(excess, _)| *excess > 0);
        let mut too_long: Vec<_> = too_long.map(|(excess, group)| (excess, full_name(group))).collect();
        too_long.sort_by(|(excess, name), (other_excess, other_name)| {
            other_excess.cmp(excess).then_with(|| name.cmp(other_name))
        });
        if too_long.is_empty() { Ok(()) } else { Err(TokensTooLong { groups: too_long }) }
    }

    /// How many characters the token has beyond what clients accept.
    fn excess(&self, extra: &ExtraClaims, Names { organization, group }: Names<'_>) -> usize {
        let length = default_token_length(&self.issuer, self.kid_bytes, organization, group, extra);
        length.saturating_sub(DEFAULT_TOKEN_BYTES_MAX)
    }
}

fn full_name(group: &GroupFacts) -> String {
    let GroupFacts { organization_name, project_name, name, .. } = group;
    format!("{organization_name}/{project_name}/{name}")
}

/// How much must be taken from names and claims for a token to have so many characters less.
const fn shorten_by(characters: usize) -> usize {
    let (of_token, of_claim) = CHARACTERS_PER_BYTE;
    (characters * of_claim).div_ceil(of_token)
}

fn too_long(excess: usize, extra: &ExtraClaims, names: Names<'_>, shape: &TokenShape) -> Problem {
    let Names { organization, group } = names;
    let claims = serde_json::to_string(extra).map_or(0, |json| json.len().saturating_sub("{}".len()));
    let detail = format!(
        "the group's token would have {length} characters, {excess} more than the {DEFAULT_TOKEN_BYTES_MAX} that clients accept; it holds \
         the organization's name ({organization_length} characters), the group's name ({group_length}), the issuer ({issuer_length}), \
         the key id ({kid_length}) and the extra claims ({claims}): make these shorter, by about {shorten_by} in all",
        length = DEFAULT_TOKEN_BYTES_MAX + excess,
        organization_length = organization.as_str().len(),
        group_length = group.as_str().len(),
        issuer_length = shape.issuer.as_str().len(),
        kid_length = shape.kid_bytes,
        shorten_by = shorten_by(excess),
    );
    let property = if extra.is_empty() { "name" } else { "definition.extra_claims" };
    Problem::new(400, "token-too-long", "Bad Request")
        .with_detail(detail)
        .with_error(property, format!("makes the token too long by {excess}"))
}

impl fmt::Display for TokensTooLong {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self.groups.iter().map(|(excess, _)| *excess).max().unwrap_or(0);
        write!(
            formatter,
            "issuer, kid_prefix: with these, tokens would have more than the {DEFAULT_TOKEN_BYTES_MAX} characters that clients accept, \
             those of the container groups "
        )?;
        for (index, (excess, name)) in self.groups.iter().take(GROUPS_NAMED_MAX).enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(formatter, "{comma}{name} ({excess} too many)")?;
        }
        match self.groups.len().saturating_sub(GROUPS_NAMED_MAX) {
            0 => {}
            more => write!(formatter, " and {more} more")?,
        }
        write!(formatter, "; make issuer and kid_prefix shorter, by about {} in all", shorten_by(most))
    }
}
