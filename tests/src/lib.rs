// SPDX-License-Identifier: Apache-2.0
//! End-to-end tests over the built binary.
