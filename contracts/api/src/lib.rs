// SPDX-License-Identifier: Apache-2.0
//! Wire shapes: problem details, IMDS bodies, admin API, node protocol.
