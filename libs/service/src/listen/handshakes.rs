// SPDX-License-Identifier: Apache-2.0
//! Connections whose TLS handshake is not finished: whoever is at their other end has proved nothing yet, and may never say a word. So
//! they have places of their own, few for each address, and take none from the connections that are served.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::PeerAddress;

/// Of all connections, this part may be unfinished; of these, an address may have the same part again.
const PART: usize = 4;
/// What an address may have at least, however few connections are allowed in all.
const PER_ADDRESS_MIN: usize = 4;

/// Places for unfinished handshakes. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Handshakes {
    places: Arc<Semaphore>,
    addresses: Arc<Mutex<HashMap<IpAddr, usize>>>,
    per_address_max: usize,
}

/// The place of one handshake, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Handshake {
    handshakes: Handshakes,
    address: Option<IpAddr>,
    _place: OwnedSemaphorePermit,
}

impl Handshakes {
    /// For a listener of so many connections.
    pub(super) fn new(connections_max: usize) -> Self {
        let places = (connections_max / PART).max(1);
        let per_address_max = (places / PART).max(PER_ADDRESS_MIN);
        Self { places: Arc::new(Semaphore::new(places)), addresses: Arc::default(), per_address_max }
    }

    /// Waits for a place.
    pub(super) async fn place(&self) -> OwnedSemaphorePermit {
        match Arc::clone(&self.places).acquire_owned().await {
            Ok(place) => place,
            // The semaphore is never closed.
            Err(_) => std::future::pending().await,
        }
    }

    /// Gives the place to a connection from this address. None if the address has too many already.
    pub(super) fn begin(&self, place: OwnedSemaphorePermit, address: PeerAddress) -> Option<Handshake> {
        let address = match address {
            PeerAddress::Tcp(address) => Some(subscriber(address.ip())),
            PeerAddress::Unix(_) => None,
        };
        if let Some(address) = address {
            let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
            let count = addresses.entry(address).or_insert(0);
            if *count >= self.per_address_max {
                return None;
            }
            *count += 1;
        }
        Some(Handshake { handshakes: self.clone(), address, _place: place })
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut addresses = self.handshakes.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = addresses.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&address);
            }
        }
    }
}

/// An IPv6 subscriber has at least a /64 of addresses, so these count as one.
fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_has_a_part_of_the_places() {
        let handshakes = Handshakes::new(96);
        let begin = async |text: &str| {
            let place = handshakes.place().await;
            handshakes.begin(place, PeerAddress::Tcp(text.parse().unwrap()))
        };
        let mut begun = Vec::new();
        for port in 1..=6 {
            begun.push(begin(&format!("[2001:db8::{port}]:{port}")).await.unwrap());
        }
        assert!(begin("[2001:db8::ffff]:9").await.is_none(), "the same subscriber");
        assert!(begin("[2001:db8:0:1::1]:9").await.is_some());
        assert!(begin("192.0.2.1:9").await.is_some());
        begun.pop();
        assert!(begin("[2001:db8::ffff]:9").await.is_some());
        begun.clear();
        assert!(handshakes.addresses.lock().unwrap().is_empty());
        assert_eq!(handshakes.places.available_permits(), 24);
    }
}
