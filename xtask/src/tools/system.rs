// SPDX-License-Identifier: Apache-2.0
//! Programs that come with the operating system. On Debian and its kin root installs what is missing; everyone else is
//! told what to install.

use std::process::Command;

use anyhow::bail;

use crate::{command, report};

/// A program that something needs.
pub(crate) struct Program {
    /// How to see that it is there.
    probe: &'static [&'static str],
    /// The Debian package that has it.
    package: &'static str,
}

/// What the tests need: real clients, proxies and databases, and `ip` to make network namespaces.
pub(crate) const FOR_TESTS: &[Program] = &[
    Program { probe: &["ip", "-V"], package: "iproute2" },
    Program { probe: &["curl", "--version"], package: "curl" },
    Program { probe: &["python3", "-c", "import venv, ensurepip"], package: "python3-venv" },
    Program { probe: &["node", "--version"], package: "nodejs" },
    Program { probe: &["npm", "--version"], package: "npm" },
    Program { probe: &["haproxy", "-v"], package: "haproxy" },
    Program { probe: &["/usr/lib/postgresql/15/bin/postgres", "--version"], package: "postgresql-15" },
    Program { probe: &["redis-server", "--version"], package: "redis-server" },
    Program { probe: &["redis-cli", "--version"], package: "redis-tools" },
    Program { probe: &["setpriv", "--version"], package: "util-linux" },
    Program { probe: &["nginx", "-v"], package: "nginx" },
];

/// What the benchmarks compare with, the database that control keeps a fleet in, and the servers that the broker makes accounts at.
pub(crate) const FOR_BENCHMARKS: &[Program] = &[
    Program { probe: &["nginx", "-v"], package: "nginx" },
    Program { probe: &["/usr/lib/postgresql/15/bin/postgres", "--version"], package: "postgresql-15" },
    Program { probe: &["redis-server", "--version"], package: "redis-server" },
    Program { probe: &["setpriv", "--version"], package: "util-linux" },
    Program { probe: &["redis-server", "--version"], package: "redis-server" },
];

/// Installs those that are missing.
pub(crate) fn install(programs: &[Program]) -> anyhow::Result<()> {
    let missing: Vec<&str> = programs.iter().filter(|each| !is_there(each)).map(|each| each.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !can_install() {
        bail!(
            "these packages are missing: {0}; install them, or run this as root on Debian: apt-get install {0}",
            missing.join(" ")
        );
    }
    report::line(&format!("    installing {}", missing.join(" ")));
    command::run(&mut apt(&["update"]))?;
    command::run(apt(&["install", "--yes", "--no-install-recommends"]).args(missing))
}

fn is_there(program: &Program) -> bool {
    program.probe.split_first().is_some_and(|(name, arguments)| command::succeeds(name, arguments))
}

fn can_install() -> bool {
    let user = Command::new("id").arg("-u").output();
    let is_root = user.is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    is_root && command::succeeds("apt-get", &["--version"])
}

fn apt(arguments: &[&str]) -> Command {
    let mut apt = Command::new("apt-get");
    // The run level keeps services such as nginx from being started: only their programs are wanted.
    apt.arg("--quiet=2").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
    apt
}
