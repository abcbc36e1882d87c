// SPDX-License-Identifier: Apache-2.0
//! One rule, as it is written.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cress_domain::Audience;
use schemars::JsonSchema;
use serde::Deserialize;

/// What may pass where. A rule fits a request if its host, path and method do; what it leaves out fits everything.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// What logs and metrics call it.
    pub name: String,
    /// The host that it is about, such as api.example.com, or *.example.com for every name below that.
    #[serde(default)]
    pub host: Option<String>,
    /// What the path begins with, by whole segments: /reports fits /reports and /reports/2026, and not /reportsx.
    #[serde(default)]
    pub path: Option<String>,
    /// The methods that it is about, such as GET and HEAD; all of them if nothing is said.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Who passes: `claims`, whoever shows a token that the rest of the rule is satisfied with; `public`, everyone; `deny`,
    /// nobody. `claims` by default.
    #[serde(default)]
    pub access: Access,
    /// The names of the issuers whose tokens pass; all of them if nothing is said.
    #[serde(default)]
    pub issuers: Vec<String>,
    /// Whom the token must be meant for: one of these, each of which must be an audience of the issuer. All that the issuer
    /// admits if nothing is said.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub audiences: Vec<Audience>,
    /// What the claims must say, all of it: `salad_workload_name=worker|builder`, or `/kubernetes.io/namespace=prod`. A list
    /// satisfies a rule if one of its items does.
    #[serde(default)]
    pub claims: Vec<String>,
    /// A file of Cedar policies that must permit the request too (`action == Cress::Action::"access"`). `cress policy schema` shows
    /// what they may speak of. Read again when it changes; a relative path is one in the working directory.
    #[serde(default)]
    pub policy_file: Option<PathBuf>,
    /// Which headers go to the service behind, instead of those of `headers` above.
    #[serde(default)]
    pub headers: Option<BTreeMap<String, String>>,
    /// Refuses nothing by this rule: what would have been refused is logged and counted.
    #[serde(default)]
    pub dry_run: bool,
}

/// A claim that policies may speak of beyond those of the schema: as `principal.claims.NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyClaim {
    /// The claim's name, or a JSON pointer such as /kubernetes.io/namespace.
    pub claim: String,
    /// Its type. A token in which it has another is refused.
    #[serde(rename = "type")]
    pub kind: PolicyClaimType,
    /// Whether tenants choose it, so that a policy that permits by it alone is worth a warning.
    #[serde(default)]
    pub chosen_by_tenants: bool,
}

/// The type of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PolicyClaimType {
    /// A text.
    String,
    /// A whole number.
    Long,
    /// `true` or `false`.
    Bool,
    /// A list of texts.
    Strings,
}

/// Who passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Everyone, with or without a token. No token is looked at, and no identity goes to the service behind.
    Public,
    /// Nobody.
    Deny,
    /// Whoever shows a token that satisfies the rule.
    #[default]
    Claims,
}

impl RuleConfig {
    /// A rule for every request: any good token passes.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            host: None,
            path: None,
            methods: Vec::new(),
            access: Access::default(),
            issuers: Vec::new(),
            audiences: Vec::new(),
            claims: Vec::new(),
            policy_file: None,
            headers: None,
            dry_run: false,
        }
    }
}
