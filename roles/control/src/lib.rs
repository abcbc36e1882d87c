// SPDX-License-Identifier: Apache-2.0
//! The issuer: fleet, enrolment, placement, key ring, publishing.
