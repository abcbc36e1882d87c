// SPDX-License-Identifier: Apache-2.0
//! What the operating system says of this process, under the names that Prometheus gives them.

use cress_domain::Timestamp;
use prometheus_client::registry::Registry;

#[cfg(target_os = "linux")]
pub(super) fn register(registry: &mut Registry, started: Timestamp) {
    registry.register_collector(Box::new(linux::Process { started }));
}

#[cfg(not(target_os = "linux"))]
pub(super) fn register(_registry: &mut Registry, _started: Timestamp) {}

#[cfg(target_os = "linux")]
mod linux {
    use std::fmt;
    use std::fs::{read_dir, read_to_string};

    use cress_domain::Timestamp;
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;
    use prometheus_client::collector::Collector;
    use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
    use prometheus_client::metrics::counter::ConstCounter;
    use prometheus_client::metrics::gauge::ConstGauge;

    #[derive(Debug)]
    pub(super) struct Process {
        pub(super) started: Timestamp,
    }

    impl Collector for Process {
        fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
            let mut gauge = |name: &str, help: &str, value: Option<i64>| match value {
                Some(value) => write(&mut encoder, name, help, &ConstGauge::new(value)),
                None => Ok(()),
            };
            gauge("process_resident_memory_bytes", "Resident memory size in bytes", resident_bytes())?;
            gauge("process_open_fds", "Number of open file descriptors", open_files())?;
            gauge("process_start_time_seconds", "Start, in Unix time", Some(self.started.unix_seconds()))?;
            match cpu_seconds() {
                Some(seconds) => {
                    let help = "User and system CPU time spent in seconds";
                    write(&mut encoder, "process_cpu_seconds", help, &ConstCounter::new(seconds))
                }
                None => Ok(()),
            }
        }
    }

    fn write(encoder: &mut DescriptorEncoder, name: &str, help: &str, metric: &impl EncodeMetric) -> fmt::Result {
        metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
    }

    fn resident_bytes() -> Option<i64> {
        let status = read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.parse::<i64>().ok()?.checked_mul(1024)
    }

    /// Less the one that counts them.
    fn open_files() -> Option<i64> {
        i64::try_from(read_dir("/proc/self/fd").ok()?.count()).ok()?.checked_sub(1)
    }

    fn cpu_seconds() -> Option<f64> {
        let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
        let microseconds = (usage.user_time() + usage.system_time()).num_microseconds();
        Some(f64::from(u32::try_from(microseconds / 1_000).ok()?) / 1_000.0)
    }
}
