// SPDX-License-Identifier: Apache-2.0
//! The persistent, rotating key ring and its envelope encryption.

pub mod schedule;
mod settings;

pub use settings::{PUBLISHED_KEYS_MAX, Settings, SettingsError};
