// SPDX-License-Identifier: Apache-2.0
//! How an instance is run: the driver trait and its conformance suite.
