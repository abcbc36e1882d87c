// SPDX-License-Identifier: Apache-2.0
//! Which requests a rule is about.

use crate::config::RuleConfig;
use crate::request::{Asked, AskedError, check_method, is_rule_path, read_host};

/// The host, path and methods of a rule. What is absent fits everything, and need not be told by the proxy.
#[derive(Debug)]
pub(super) struct Fit {
    host: Option<HostPattern>,
    path: Option<PathPrefix>,
    methods: Vec<String>,
    /// Policies may ask about anything.
    needs_all: bool,
}

#[derive(Debug)]
enum HostPattern {
    Exactly(String),
    /// With the dot in front: `.example.com`.
    Below(String),
}

/// Without a slash at its end.
#[derive(Debug)]
struct PathPrefix(String);

impl Fit {
    pub(super) fn new(written: &RuleConfig) -> Result<Self, String> {
        let methods = written.methods.iter().map(|method| check_method(method).map(str::to_owned));
        Ok(Self {
            host: written.host.as_deref().map(HostPattern::new).transpose()?,
            path: written.path.as_deref().map(PathPrefix::new).transpose()?.filter(|prefix| !prefix.0.is_empty()),
            needs_all: written.policy_file.is_some(),
            methods: methods.collect::<Result<_, _>>().map_err(|error| format!("methods: {error}"))?,
        })
    }

    /// Whether the rule is about this. An error if only what the proxy did not say would tell.
    pub(super) fn fits(&self, asked: &Asked<'_>) -> Result<bool, AskedError> {
        if let Some(pattern) = &self.host
            && !pattern.fits(asked.host.as_deref().ok_or(AskedError::NotTold("host"))?)
        {
            return Ok(false);
        }
        if let Some(prefix) = &self.path
            && !prefix.fits(asked.path.ok_or(AskedError::NotTold("path"))?)
        {
            return Ok(false);
        }
        if !self.methods.is_empty() {
            let method = asked.method.ok_or(AskedError::NotTold("method"))?;
            if !self.methods.iter().any(|one| one == method) {
                return Ok(false);
            }
        }
        if self.needs_all { asked.whole().map(|_| true) } else { Ok(true) }
    }
}

impl HostPattern {
    fn new(written: &str) -> Result<Self, String> {
        let name = written.strip_prefix("*.").unwrap_or(written);
        let host = read_host(name).ok().filter(|host| host == name);
        match host {
            Some(_) if name.len() < written.len() => Ok(Self::Below(format!(".{name}"))),
            Some(_) => Ok(Self::Exactly(name.to_owned())),
            None => Err(format!(
                "host: expected a host such as api.example.com or *.example.com, in small letters and without a port, got {written:?}"
            )),
        }
    }

    fn fits(&self, host: &str) -> bool {
        match self {
            Self::Exactly(exactly) => host == exactly,
            Self::Below(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_str()),
        }
    }
}

impl PathPrefix {
    fn new(written: &str) -> Result<Self, String> {
        if !is_rule_path(written) {
            return Err(format!(
                "path: expected a path such as /reports, of letters, digits and -._~ between single slashes, got {written:?}"
            ));
        }
        Ok(Self(written.trim_end_matches('/').to_owned()))
    }

    fn fits(&self, path: &str) -> bool {
        path.strip_prefix(self.0.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}
