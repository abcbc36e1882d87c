// SPDX-License-Identifier: Apache-2.0
mod envelopes;
mod sources;

use cress_domain::Secret;

use super::KeyEncryptionKey;

fn key(id: Option<&str>, byte: u8) -> KeyEncryptionKey {
    KeyEncryptionKey::new(id.map(|id| id.parse().unwrap()), &Secret::new([byte; 32])).unwrap()
}
