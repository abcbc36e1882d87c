// SPDX-License-Identifier: Apache-2.0
//! What every server shares: configuration, TLS, limits, drain, telemetry.
