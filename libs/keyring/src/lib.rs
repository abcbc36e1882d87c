// SPDX-License-Identifier: Apache-2.0
//! The persistent, rotating key ring and its envelope encryption.
