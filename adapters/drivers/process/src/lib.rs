// SPDX-License-Identifier: Apache-2.0
//! Runs instances as supervised local processes, for development.
