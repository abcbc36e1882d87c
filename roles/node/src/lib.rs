// SPDX-License-Identifier: Apache-2.0
//! The agent: runs instances and serves each its metadata service.

pub mod imds;
#[cfg(target_os = "linux")]
pub mod netns;
pub mod tokens;
