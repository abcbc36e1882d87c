// SPDX-License-Identifier: Apache-2.0
//! Leases: what was given out to whom, until when, and that it ends then.
