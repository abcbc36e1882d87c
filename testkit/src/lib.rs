// SPDX-License-Identifier: Apache-2.0
//! What tests need and the product must not have: a clock that is moved by hand, randomness that repeats, an issuer
//! that signs anything, forgeries, and checks that can be pointed at a server. A dev-dependency only.
#![expect(clippy::expect_used, reason = "support code of tests fails the test at once")]

mod bad_tokens;
mod clock;
pub mod forge;
pub mod imds_conformance;
mod issuer;
#[cfg(unix)]
pub mod postgres;
mod provider_ports;
mod random;
#[cfg(unix)]
pub mod redis;
mod rsa_key;
mod s3;
mod tcp_proxy;
mod tools;

pub use bad_tokens::{BadToken, bad_tokens, bad_tokens_at, with_changes};
pub use clock::MockClock;
pub use issuer::TestIssuer;
pub use provider_ports::{KnownSecrets, provider_ports};
pub use random::SeededRandom;
pub use rsa_key::RsaKey;
pub use s3::{R2Account, S3Client, S3Server};
pub use tcp_proxy::TcpProxy;
pub use tools::tool;
