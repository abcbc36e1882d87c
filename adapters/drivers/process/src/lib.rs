// SPDX-License-Identifier: Apache-2.0
//! Runs instances as supervised local processes, for development.
//!
//! The agent starts one small supervisor (its own binary again, see [`supervisor`]) that is the parent of all instances.
//! The two talk in JSON lines over the supervisor's standard input and output. When the agent is gone, by whatever way,
//! that pipe is closed, and the supervisor ends every instance and all that descends from one. When the supervisor is
//! gone, the agent does. So no instance outlives either.
//!
//! **Whose process?** Every process of a run is known by a number that it inherits through fork and exec and keeps through
//! `setsid` and double forks: the soft limit RLIMIT_LOCKS, which Linux has not enforced since 2.4.25 (setrlimit(2)). So a
//! daemon that has left its parent and its process group is found all the same. One that sets this limit itself is found
//! by its process group, or else at the supervisor's end.
//!
//! **Environment.** An instance has the variables that the agent gives, and `PATH`, `HOME` and `LANG` and, if the agent has
//! it, `TZ`, with the agent's values, where it is given none of that name; nothing else of the agent's environment.
//! It runs as the agent's user, in the agent's working directory. Its input is empty, its output goes to
//! `<directory>/logs/<instance id>.log`: when that is half of the configured size it becomes `<instance id>.log.1`, so the
//! two never take more than this size, nor does a full disk ever stop an instance. The logs of the instances that ended
//! last are kept.
//!
//! **Network.** With [`Network::Host`] an instance shares the node's. With [`Network::Namespace`] (root only) each has a
//! named one of its own, `/run/netns/cress-<instance id>`, with nothing but a loopback device, which whoever puts the
//! metadata service there brings up; `ip netns exec` can enter it.
#![cfg(target_os = "linux")]

mod config;
mod driver;
mod environment;
mod leftovers;
mod link;
mod log_files;
mod mark;
mod monotonic;
mod namespace;
mod processes;
mod protocol;
pub mod supervisor;

pub use config::{Network, ProcessDriverConfig, SupervisorCommand};
pub use driver::ProcessDriver;
