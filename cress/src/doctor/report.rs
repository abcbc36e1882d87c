// SPDX-License-Identifier: Apache-2.0
//! What was found, and how it is told. A finding never holds a secret: it speaks of files, ids and times.

use serde::Serialize;

use crate::output::{self, Format};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// As it should be.
    Ok,
    /// It works, but not as well, as safely or as long as it should.
    Warning,
    /// It does not work, or soon will not.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// The role that it is about.
    pub(super) role: &'static str,
    /// What was looked at; stable, for machines.
    pub(super) check: &'static str,
    pub(super) status: Status,
    /// What is so.
    pub(super) message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
}

/// All findings, in the order in which they were made.
#[derive(Debug)]
pub(super) struct Report {
    role: &'static str,
    findings: Vec<Finding>,
}

/// The form for machines.
#[derive(Serialize)]
struct Document<'a> {
    status: Status,
    problems: usize,
    warnings: usize,
    findings: &'a [Finding],
}

impl Report {
    pub(super) const fn new() -> Self {
        Self { role: "machine", findings: Vec::new() }
    }

    /// What follows is about this role.
    pub(super) fn about(&mut self, role: &'static str) {
        self.role = role;
    }

    pub(super) fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Status::Ok, message.into(), None);
    }

    pub(super) fn warning(&mut self, check: &'static str, message: impl Into<String>, remedy: impl Into<String>) {
        self.add(check, Status::Warning, message.into(), Some(remedy.into()));
    }

    pub(super) fn problem(&mut self, check: &'static str, message: impl Into<String>, remedy: impl Into<String>) {
        self.add(check, Status::Problem, message.into(), Some(remedy.into()));
    }

    /// An error whose message says what to do already.
    pub(super) fn failure(&mut self, check: &'static str, error: impl std::fmt::Display) {
        self.add(check, Status::Problem, error.to_string(), None);
    }

    fn add(&mut self, check: &'static str, status: Status, message: String, remedy: Option<String>) {
        self.findings.push(Finding { role: self.role, check, status, message, remedy });
    }

    /// The worst of all.
    pub(super) fn status(&self) -> Status {
        self.findings.iter().map(|finding| finding.status).max().unwrap_or(Status::Ok)
    }

    pub(super) fn print(&self, format: Format) -> anyhow::Result<()> {
        let count = |status| self.findings.iter().filter(|finding| finding.status == status).count();
        let (problems, warnings) = (count(Status::Problem), count(Status::Warning));
        if format == Format::Json {
            return output::json(&Document { status: self.status(), problems, warnings, findings: &self.findings });
        }
        for finding in &self.findings {
            output::line(line(finding))?;
        }
        output::line(format!("\n{problems} problems, {warnings} warnings"))
    }
}

fn line(finding: &Finding) -> String {
    let word = match finding.status {
        Status::Ok => "ok",
        Status::Warning => "warning",
        Status::Problem => "PROBLEM",
    };
    let line = format!("{word:<8} {:<8} {:<24} {}", finding.role, finding.check, finding.message);
    match &finding.remedy {
        Some(remedy) => format!("{line}\n{:<43}-> {remedy}", ""),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_counts() {
        let mut report = Report::new();
        assert_eq!(report.status(), Status::Ok);
        report.about("control");
        report.ok("a", "fine");
        report.warning("b", "so so", "do this");
        assert_eq!(report.status(), Status::Warning);
        report.failure("c", "broken; mend it");
        assert_eq!(report.status(), Status::Problem);
        assert!(line(&report.findings[1]).ends_with("-> do this"));
        let json = serde_json::to_value(&report.findings[2]).unwrap();
        let expected = serde_json::json!(
            {"role": "control", "check": "c", "status": "problem", "message": "broken; mend it"});
        assert_eq!(json, expected);
    }
}
