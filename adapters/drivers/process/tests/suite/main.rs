// SPDX-License-Identifier: Apache-2.0
//! The process driver with real processes.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "the support code of tests fails the test at once, and says what it skips"
)]

mod bench;
mod endings;
mod instances;
mod namespaces;
mod random;

use cress_driver::conformance;
use cress_driver_process::Network;

#[tokio::test]
async fn the_driver_conforms() {
    let bench = bench::Bench::new(Network::Host);
    conformance::run(&bench.driver, &random::Urandom).await.unwrap();
    cress_driver::Driver::shutdown(&bench.driver).await;
}
