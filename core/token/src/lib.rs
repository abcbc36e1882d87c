// SPDX-License-Identifier: Apache-2.0
//! The claims of a workload token and the rules that make them verified.
