// SPDX-License-Identifier: Apache-2.0
//! The metadata service as its callers see it: bytes on a socket.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod crowd;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod netns;
#[cfg(test)]
mod support;
