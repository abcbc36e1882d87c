// SPDX-License-Identifier: Apache-2.0
//! Database plumbing and the repositories of each role.
