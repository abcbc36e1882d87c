// SPDX-License-Identifier: Apache-2.0
//! The listening socket, made in the namespace of the calling thread.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, listen as listen_on, setsockopt, socket, sockopt,
};

use crate::imds::limits::BACKLOG;

/// The address that every instance finds its metadata service at.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// Its port.
pub const PORT: u16 = 80;

/// Listens at the metadata service's address, on the loopback device alone. The tie to the device comes before the socket
/// listens, so that there is no moment in which a neighbour could connect. `SO_REUSEADDR` lets the agent take over after a
/// restart; `SO_REUSEPORT` would let the instance share the port and answer itself.
pub(super) fn listen() -> Result<TcpListener, Errno> {
    let descriptor = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&descriptor, sockopt::BindToDevice, &OsString::from("lo"))?;
    setsockopt(&descriptor, sockopt::ReuseAddr, &true)?;
    let address = SockaddrIn::from(SocketAddrV4::new(ADDRESS, PORT));
    bind(std::os::fd::AsRawFd::as_raw_fd(&descriptor), &address)?;
    listen_on(&descriptor, Backlog::new(BACKLOG)?)?;
    Ok(descriptor.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_the_one_that_clients_are_told() {
        assert_eq!(SocketAddrV4::new(ADDRESS, PORT).to_string(), cress_api::imds::ADDRESS);
    }
}
