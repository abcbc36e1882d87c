// SPDX-License-Identifier: Apache-2.0
//! Control as operators and verifiers meet it: a started control in a directory of its own, asked over its real sockets.

#[cfg(test)]
mod groups;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod placement;
#[cfg(test)]
mod publish;
#[cfg(test)]
mod refused_starts;
#[cfg(test)]
mod restarts;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tenants;
#[cfg(test)]
mod tls;
