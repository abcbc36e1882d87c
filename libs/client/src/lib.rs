// SPDX-License-Identifier: Apache-2.0
//! Typed clients of control's admin API and of the metadata service.
