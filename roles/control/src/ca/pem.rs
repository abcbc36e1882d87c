// SPDX-License-Identifier: Apache-2.0
//! Certificates as text (RFC 7468).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const LINE: usize = 64;

/// These certificates, one after the other.
pub(super) fn certificates<'a>(der: impl Iterator<Item = &'a [u8]>) -> String {
    let mut pem = String::new();
    for certificate in der {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        let encoded = STANDARD.encode(certificate);
        let mut rest = encoded.as_str();
        while let Some((line, after)) = rest.split_at_checked(LINE.min(rest.len())).filter(|(line, _)| !line.is_empty())
        {
            pem.push_str(line);
            pem.push('\n');
            rest = after;
        }
        pem.push_str("-----END CERTIFICATE-----\n");
    }
    pem
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject;

    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        for length in [0, 1, 47, 48, 49, 96, 500] {
            let der = vec![0xa5; length];
            let pem = certificates([der.as_slice(), der.as_slice()].into_iter());
            assert!(pem.lines().all(|line| line.len() <= LINE));
            let read: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap).collect();
            assert_eq!(read, [CertificateDer::from(der.clone()), CertificateDer::from(der)]);
        }
    }
}
