// SPDX-License-Identifier: Apache-2.0
//! Mock clock, seeded randomness, test issuer, namespaces and servers for tests.

pub mod imds_conformance;
