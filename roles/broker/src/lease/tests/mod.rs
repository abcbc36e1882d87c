// SPDX-License-Identifier: Apache-2.0
//! The engine over a real store, with a clock that is moved by hand and targets in memory that fail when they are told to.

mod compared;
#[cfg(unix)]
mod crashes;
mod faulty;
mod granted;
#[cfg(unix)]
mod kills;
mod many;
#[cfg(unix)]
mod outside;
mod repeated;
mod revoked;
mod support;
