// SPDX-License-Identifier: Apache-2.0
//! Control's metrics: what it counts as it happens, and what is looked up when they are read.

mod counters;
mod gauges;
mod ring;

pub(crate) use counters::{Counters, EnrolmentOutcome, IgnoredReport, StorePart};
pub(crate) use gauges::Gauges;
pub(crate) use ring::KeysSeen;
