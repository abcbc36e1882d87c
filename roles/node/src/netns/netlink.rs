// SPDX-License-Identifier: Apache-2.0
//! The two requests to the kernel that an instance's loopback device needs (rtnetlink(7)), written out byte by byte.

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket};
use nix::sys::time::{TimeVal, TimeValLike};

/// Bytes of `struct nlmsghdr`.
const HEADER_BYTES: usize = 16;
/// The kernel answers at once; this is for a kernel that does not.
const ANSWER_SECONDS_MAX: i64 = 5;

/// `ip link set lo up`.
pub(super) fn set_up_loopback() -> Result<(), Errno> {
    let up = libc::IFF_UP as u32;
    let mut body = vec![libc::AF_UNSPEC as u8, 0, 0, 0]; // struct ifinfomsg: family, padding, device type
    body.extend_from_slice(&loopback()?.to_ne_bytes());
    body.extend_from_slice(&up.to_ne_bytes()); // the flags
    body.extend_from_slice(&up.to_ne_bytes()); // which of them to change
    ask(libc::RTM_NEWLINK, 0, &body)
}

/// `ip address add ADDRESS/32 dev lo`; no error if it is there already.
pub(super) fn add_loopback_address(address: Ipv4Addr) -> Result<(), Errno> {
    // struct ifaddrmsg: family, prefix length, flags, scope, device
    let mut body = vec![libc::AF_INET as u8, 32, 0, libc::RT_SCOPE_HOST];
    body.extend_from_slice(&loopback()?.to_ne_bytes());
    for kind in [libc::IFA_LOCAL, libc::IFA_ADDRESS] {
        body.extend_from_slice(&8_u16.to_ne_bytes()); // struct rtattr: length, type, value
        body.extend_from_slice(&kind.to_ne_bytes());
        body.extend_from_slice(&address.octets());
    }
    match ask(libc::RTM_NEWADDR, libc::NLM_F_CREATE | libc::NLM_F_EXCL, &body) {
        Err(Errno::EEXIST) => Ok(()),
        other => other,
    }
}

fn loopback() -> Result<u32, Errno> {
    if_nametoindex("lo")
}

/// Sends one request and reads its acknowledgement.
fn ask(kind: u16, flags: i32, body: &[u8]) -> Result<(), Errno> {
    let netlink: OwnedFd =
        socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)?;
    setsockopt(&netlink, ReceiveTimeout, &TimeVal::seconds(ANSWER_SECONDS_MAX))?;
    send(netlink.as_raw_fd(), &message(kind, flags, body), MsgFlags::empty())?;
    let mut answer = [0; 1_024];
    let length = recv(netlink.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    acknowledgement(answer.get(..length).unwrap_or_default())
}

fn message(kind: u16, flags: i32, body: &[u8]) -> Vec<u8> {
    let length = (HEADER_BYTES + body.len()) as u32;
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_ACK | flags) as u16;
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
    bytes.extend_from_slice(&length.to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&flags.to_ne_bytes());
    bytes.extend_from_slice(&[0; 8]); // sequence number and port: there is one request, and one who asks
    bytes.extend_from_slice(body);
    bytes
}

/// Reads `struct nlmsgerr`: after the header an error number, negative, or 0.
fn acknowledgement(answer: &[u8]) -> Result<(), Errno> {
    let kind = answer.get(4..6).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes);
    let error =
        answer.get(HEADER_BYTES..HEADER_BYTES + 4).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    match (kind.map(i32::from), error) {
        (Some(libc::NLMSG_ERROR), Some(0)) => Ok(()),
        (Some(libc::NLMSG_ERROR), Some(error)) => Err(Errno::from_raw(error.saturating_neg())),
        _ => Err(Errno::EBADMSG),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_carries_the_error() {
        let answer = |error: i32| {
            let mut bytes = message(libc::NLMSG_ERROR as u16, 0, &error.to_ne_bytes());
            bytes.extend_from_slice(&[0; 16]);
            bytes
        };
        assert_eq!(acknowledgement(&answer(0)), Ok(()));
        assert_eq!(acknowledgement(&answer(-libc::EEXIST)), Err(Errno::EEXIST));
        assert_eq!(acknowledgement(&message(libc::RTM_NEWLINK, 0, &[0; 4])), Err(Errno::EBADMSG));
        assert_eq!(acknowledgement(&[]), Err(Errno::EBADMSG));
    }

    #[test]
    fn a_message_says_its_length() {
        assert_eq!(message(20, 0, &[1, 2, 3, 4]).len(), 20);
        assert_eq!(message(20, 0, &[1, 2, 3, 4])[..4], 20_u32.to_ne_bytes());
    }
}
