// SPDX-License-Identifier: Apache-2.0
//! Ids that no other test on the machine has: namespaces bear them.

use std::fs::File;
use std::io::Read;

use cress_domain::Random;

/// The kernel's randomness.
#[derive(Debug)]
pub(crate) struct Urandom;

impl Random for Urandom {
    fn fill(&self, bytes: &mut [u8]) {
        File::open("/dev/urandom").unwrap().read_exact(bytes).unwrap();
    }
}
