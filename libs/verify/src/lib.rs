// SPDX-License-Identifier: Apache-2.0
//! Verifies workload tokens offline: JWKS sources, caches, tower layer.
