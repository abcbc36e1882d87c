// SPDX-License-Identifier: Apache-2.0
//! What every server shares: the real clock and randomness, configuration, data directory, listeners, TLS, problem
//! details, telemetry, metrics and the way to stop. No logic of any role lives here.

mod clock;
pub mod config;
pub mod data_dir;
mod io_error;
pub mod listen;
pub mod metrics;
pub mod middleware;
pub mod problem;
mod random;
pub mod secret_source;
mod serde_words;
pub mod shutdown;
pub mod telemetry;
pub mod tls;

pub use clock::SystemClock;
pub use io_error::plain_words;
pub use random::SystemRandom;
pub use shutdown::Shutdown;
