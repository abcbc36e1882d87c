// SPDX-License-Identifier: Apache-2.0
//! The token cache against an issuer in memory that signs real tokens. Time is tokio's paused time, which leaps to the
//! next timer when nothing is left to do: hours pass in milliseconds, and each run is the same.

mod callers;
mod control;
mod definitions;
mod forgeries;
mod lives;
mod outages;
mod refreshes;
mod rig;
mod storms;
