// SPDX-License-Identifier: Apache-2.0
//! Finds and removes what tests leave behind: processes, also those whose parent is gone, and network namespaces. Only
//! what came while the tests ran is touched. Outside of Linux there is nothing to do.

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
pub(super) use linux::Cleanup;

#[cfg(not(target_os = "linux"))]
pub(super) struct Cleanup;

#[cfg(not(target_os = "linux"))]
impl Cleanup {
    pub(super) fn begin() -> anyhow::Result<Self> {
        Ok(Self)
    }

    pub(super) fn finish(self) -> Vec<String> {
        Vec::new()
    }
}
