// SPDX-License-Identifier: Apache-2.0
//! The agent as control and the instances see it: over real TLS, with real processes.
#![cfg(target_os = "linux")]

#[cfg(test)]
mod authority;
#[cfg(test)]
mod away;
#[cfg(test)]
mod control;
#[cfg(test)]
mod enrolment;
#[cfg(test)]
mod faulty;
#[cfg(test)]
mod lives;
#[cfg(test)]
mod namespaces;
#[cfg(test)]
mod node;
#[cfg(test)]
mod placement;
#[cfg(test)]
mod probes;
#[cfg(test)]
mod recovery;
mod renewal;
#[cfg(test)]
mod supervise;
