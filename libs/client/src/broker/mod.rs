// SPDX-License-Identifier: Apache-2.0
//! The broker: as a workload asks it, and as its operator does.

mod operator;
mod workload;

pub use operator::BrokerAdminClient;
pub use workload::BrokerClient;
