// SPDX-License-Identifier: Apache-2.0
//! Finds and removes what tests leave behind: processes, also those whose parent is gone, and network namespaces. Only
//! what came while the tests ran is touched. Outside of Linux there is nothing to do.

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
pub(crate) use linux::Cleanup;

#[cfg(not(target_os = "linux"))]
pub(crate) struct Cleanup;

#[cfg(not(target_os = "linux"))]
impl Cleanup {
    pub(crate) fn begin() -> anyhow::Result<Self> {
        Ok(Self)
    }

    pub(crate) fn finish(self) -> Vec<String> {
        Vec::new()
    }
}
