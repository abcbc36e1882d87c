// SPDX-License-Identifier: Apache-2.0
//! Where HTTP without TLS may be spoken.

use std::net::SocketAddr;

use super::TlsError;

/// Whether something in front of the listener does TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxy {
    /// Nothing is known to.
    None,
    /// The operator says so (`behind_proxy`).
    InFront,
}

/// Plain HTTP is for loopback, or behind a proxy that the operator vouches for. To be called for each listener without TLS.
///
/// # Errors
/// [`TlsError::PlainHttp`], which says what to do.
pub fn check_plain_http(address: SocketAddr, proxy: Proxy) -> Result<(), TlsError> {
    // ::ffff:127.0.0.1 is loopback too.
    let is_loopback = address.ip().to_canonical().is_loopback();
    if is_loopback || proxy == Proxy::InFront { Ok(()) } else { Err(TlsError::PlainHttp { address }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_the_machine_unless_vouched_for() {
        for (address, allowed) in [
            ("127.0.0.1:80", true),
            ("127.9.9.9:80", true),
            ("[::1]:80", true),
            ("[::ffff:127.0.0.1]:80", true),
            ("0.0.0.0:80", false),
            ("[::]:80", false),
            ("10.0.0.1:80", false),
            ("169.254.169.254:80", false),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(check_plain_http(address, Proxy::None).is_ok(), allowed, "{address}");
            assert!(check_plain_http(address, Proxy::InFront).is_ok());
        }
        let message = check_plain_http("0.0.0.0:80".parse().unwrap(), Proxy::None).unwrap_err().to_string();
        assert!(message.contains("0.0.0.0:80") && message.contains("--behind-proxy"), "{message}");
    }
}
