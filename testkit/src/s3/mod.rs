// SPDX-License-Identifier: Apache-2.0
//! A server that stands for Cloudflare R2: it keeps objects in memory and lets in whoever signs as Signature Version 4 and R2's
//! documentation of temporary credentials say. Written from those two documents and nothing of the product, so that it can judge it.
//!
//! It is no proof of what R2 itself does.

mod client;
mod http;
mod server;
mod session;
mod signature;

#[cfg(test)]
mod tests;

pub use client::S3Client;
pub use server::{R2Account, S3Server};
