// SPDX-License-Identifier: Apache-2.0
//! Memory and descriptors of the processes that are not killed any more, over the second half.

use std::collections::BTreeMap;
use std::fs;

use super::fleet::Fleet;

/// Growth that is no leak: in a short run allocators still settle.
const MEMORY_GROWTH_KIB_MAX: u64 = 8 * 1024;
const MEMORY_GROWTH_PERCENT_MAX: u64 = 10;
const DESCRIPTOR_GROWTH_MAX: u64 = 20;

/// One look at a process.
#[derive(Debug, Clone, Copy)]
struct Look {
    resident_kib: u64,
    descriptors: u64,
}

/// All looks at each process.
#[derive(Default)]
pub(super) struct Resources(BTreeMap<&'static str, (u32, Vec<Look>)>);

/// How a process ended up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trend {
    pub(super) name: &'static str,
    /// Means of the first and the last third.
    pub(super) resident_kib: (u64, u64),
    pub(super) descriptors: (u64, u64),
}

impl Resources {
    pub(super) fn look(&mut self, fleet: &Fleet, counts: bool) {
        if !counts {
            return;
        }
        let lasting = fleet.nodes.last().map(|node| &node.process);
        for process in std::iter::once(&fleet.control).chain(lasting) {
            let Some((id, look)) = process.id().and_then(|id| Some((id, look(id)?))) else { continue };
            let (known, looks) = self.0.entry(process.name).or_insert_with(|| (id, Vec::new()));
            if *known != id {
                *known = id;
                looks.clear();
            }
            looks.push(look);
        }
    }

    pub(super) fn trends(&self) -> Vec<Trend> {
        self.0.iter().filter_map(|(name, (_, looks))| trend(name, looks)).collect()
    }
}

impl Trend {
    pub(super) fn is_flat(&self) -> bool {
        let allowed = MEMORY_GROWTH_KIB_MAX.max(self.resident_kib.0 * MEMORY_GROWTH_PERCENT_MAX / 100);
        self.resident_kib.1 <= self.resident_kib.0 + allowed
            && self.descriptors.1 <= self.descriptors.0 + DESCRIPTOR_GROWTH_MAX
    }
}

fn trend(name: &'static str, looks: &[Look]) -> Option<Trend> {
    let third = looks.len() / 3;
    let (first, last) = (looks.get(..third)?, looks.get(looks.len() - third..)?);
    let mean = |part: &[Look], of: fn(&Look) -> u64| {
        let count = u64::try_from(part.len()).ok().filter(|count| *count > 0)?;
        Some(part.iter().map(of).sum::<u64>() / count)
    };
    Some(Trend {
        name,
        resident_kib: (mean(first, |look| look.resident_kib)?, mean(last, |look| look.resident_kib)?),
        descriptors: (mean(first, |look| look.descriptors)?, mean(last, |look| look.descriptors)?),
    })
}

fn look(id: u32) -> Option<Look> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let descriptors = fs::read_dir(format!("/proc/{id}/fd")).ok()?.count();
    Some(Look {
        resident_kib: resident.split_whitespace().next()?.parse().ok()?,
        descriptors: u64::try_from(descriptors).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_is_not_flat() {
        let looks =
            |step: u64| (0..30).map(|n| Look { resident_kib: 50_000 + n * step, descriptors: 30 }).collect::<Vec<_>>();
        assert!(trend("x", &looks(10)).unwrap().is_flat());
        assert!(!trend("x", &looks(1_000)).unwrap().is_flat());
        assert!(trend("x", &[]).is_none());
    }
}
