// SPDX-License-Identifier: Apache-2.0
//! JWK, JWKS and JWS over aws-lc-rs: bytes in, bytes out.
