// SPDX-License-Identifier: Apache-2.0
//! What breaks, one after the other, and how it must be mended.

use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::accounts::Accounts;
use super::fleet::Fleet;
use crate::{command, report};

/// How long something stays broken. A token of 300 s leaves nodes far more without control.
const BROKEN: Duration = Duration::from_secs(4);
/// The node that is killed again and again, and the one that never is: its memory has a history.
const KILLED: usize = 0;
const LASTING: usize = 1;

/// Whether control may still be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Period {
    First,
    Second,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    KillControl,
    PauseNode,
    CutNode,
    KillNode,
    BanNode,
    RestartStore,
}

const ORDER: [Fault; 6] =
    [Fault::KillControl, Fault::PauseNode, Fault::CutNode, Fault::KillNode, Fault::BanNode, Fault::RestartStore];

/// The faults so far.
pub(super) struct Faults {
    restart_store: Option<String>,
    next: usize,
    done: u32,
}

impl Faults {
    pub(super) const fn new(restart_store: Option<String>) -> Self {
        Self { restart_store, next: 0, done: 0 }
    }

    pub(super) const fn done(&self) -> u32 {
        self.done
    }

    /// Breaks what comes next in the order and can be, and mends it.
    pub(super) fn next(&mut self, fleet: &mut Fleet, accounts: &Accounts, period: Period) -> anyhow::Result<()> {
        let possible = |fault: &Fault| match fault {
            Fault::KillControl => period == Period::First,
            Fault::RestartStore => self.restart_store.is_some(),
            _ => true,
        };
        let order = ORDER.iter().enumerate().cycle().skip(self.next).take(ORDER.len());
        let Some((index, fault)) =
            order.filter(|(_, fault)| possible(fault)).map(|(index, fault)| (index, *fault)).next()
        else {
            return Ok(());
        };
        self.next = index + 1;
        self.done += 1;
        report::line(&format!("    fault {}: {fault:?}", self.done));
        self.inflict(fault, fleet, accounts)
    }

    fn inflict(&self, fault: Fault, fleet: &mut Fleet, accounts: &Accounts) -> anyhow::Result<()> {
        match fault {
            Fault::KillControl => {
                fleet.control.kill()?;
                std::thread::sleep(BROKEN);
                fleet.control.start()?;
                fleet.wait_for_control()?;
                fleet.wait_for_nodes(2)
            }
            Fault::PauseNode => {
                let node = &fleet.node_at(LASTING)?.process;
                node.signal(Signal::SIGSTOP)?;
                std::thread::sleep(BROKEN);
                node.signal(Signal::SIGCONT)?;
                fleet.wait_for_nodes(2)
            }
            Fault::CutNode => {
                let wire = &fleet.node_at(LASTING)?.wire;
                wire.cut();
                std::thread::sleep(BROKEN);
                wire.mend();
                fleet.wait_for_nodes(2)
            }
            Fault::KillNode => kill_node(fleet, accounts),
            Fault::BanNode => fleet.ban_a_guest(),
            Fault::RestartStore => {
                let restart = self.restart_store.clone().unwrap_or_default();
                command::run(Command::new("sh").args(["-c", &restart]))?;
                fleet.wait_for_control()
            }
        }
    }
}

/// The only fault that a call may notice: its instances end with the agent, and start again with it.
fn kill_node(fleet: &mut Fleet, accounts: &Accounts) -> anyhow::Result<()> {
    let before: Vec<_> = fleet.steady_targets()?.into_iter().filter(|target| target.node == KILLED).collect();
    accounts.excuse(KILLED, true);
    fleet.node_at(KILLED)?.process.kill()?;
    fleet.node_at(KILLED)?.process.start()?;
    fleet.wait_for_steady(Some(&before))?;
    accounts.excuse(KILLED, false);
    fleet.wait_for_nodes(2)
}
