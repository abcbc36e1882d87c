// SPDX-License-Identifier: Apache-2.0
//! Ports for tests that run side by side, also those of several test processes.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Ports that one stack may use.
const STRIDE: u16 = 50;
const FIRST: u16 = 11_000;
/// Below the ports that the kernel gives to clients.
const LAST: u16 = 32_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// The first of fifty ports of which none is in use.
///
/// # Panics
/// If there are none.
pub fn base_port() -> u16 {
    let seats = (LAST - FIRST) / STRIDE;
    // Test processes that run at the same time begin at different seats.
    let start = u16::try_from(std::process::id() % u32::from(seats)).unwrap_or(0);
    (0..seats)
        .map(|_| FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % seats * STRIDE)
        .find(|base| (*base..base + STRIDE).all(is_free))
        .expect("fifty free ports")
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
