// SPDX-License-Identifier: Apache-2.0
//! Trades a workload's token for the credential that it may have: `cress broker`.
//!
//! A caller proves who it is with a token, the policies decide, and the lease engine (`lease`) writes down what is given out before
//! a provider is asked for it, so that nothing outlives its time, whatever crashes meanwhile. No provider ever sees a token, and no
//! secret is ever logged.

pub mod audit;
pub mod lease;
