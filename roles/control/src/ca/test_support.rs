// SPDX-License-Identifier: Apache-2.0
//! Certificates that the authority never makes.

use cress_domain::Timestamp;
use cress_testkit::SeededRandom;
use rcgen::{CertificateParams, KeyPair};

use super::CertificateAuthority;
use super::authority::Authority;

/// Another authority, of nobody's.
pub(crate) struct Foreign(Authority);

impl Foreign {
    pub(crate) fn sign(&self, params: &CertificateParams, key: &KeyPair) -> Vec<u8> {
        self.0.sign(params, key).unwrap()
    }
}

pub(crate) fn foreign(now: Timestamp) -> Foreign {
    Foreign(Authority::generate(now, &SeededRandom::default()).unwrap())
}

/// Whatever a test wants, by the authority that signs.
pub(crate) fn sign(ca: &CertificateAuthority, params: &CertificateParams, key: &KeyPair) -> Vec<u8> {
    ca.signing().unwrap().sign(params, key).unwrap()
}
