// SPDX-License-Identifier: Apache-2.0
//! This replica tells the others which key-encryption keys it has, for as long as it runs.

use std::future::Future;
use std::time::Duration;

use cress_domain::Random;
use cress_service::data_dir::{DataDir, DataDirError};
use cress_store::StoreError;
use cress_store::keyring::KeyEncryptionKeyHolder;

use super::{HEARD_OF_MAX, KeyEncryption};

/// How often.
const PERIOD: Duration = Duration::from_secs(30);
/// In the data directory: what tells this replica from others, over its restarts.
const NAME_FILE: &str = "replica";
const NAME_BYTES: usize = 6;

impl KeyEncryption {
    /// Tells now.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(crate) async fn note(&self) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        let (replica, key_encryption_keys) = (self.0.replica.clone(), self.0.keys.descriptions());
        let holder = KeyEncryptionKeyHolder { replica, key_encryption_keys, seen_at: now };
        self.0.rings.note_holder(&holder, now - HEARD_OF_MAX).await
    }

    /// Tells now and then until `cancel` resolves, and takes leave.
    pub(crate) async fn tell(self, cancel: impl Future<Output = ()> + Send) {
        let tell = async {
            loop {
                tokio::time::sleep(PERIOD).await;
                if let Err(error) = self.note().await {
                    tracing::debug!(%error, "the other replicas are not told which key-encryption keys are here");
                }
            }
        };
        tokio::select! {
            () = tell => {}
            () = cancel => {}
        }
        // Without it the others count on this replica for some minutes more.
        self.0.rings.forget_holder(&self.0.replica).await.ok();
    }
}

/// What this replica is called: made at its first start.
pub(crate) fn replica_name(data_dir: &DataDir, random: &dyn Random) -> Result<String, DataDirError> {
    if let Ok(name) = std::fs::read_to_string(data_dir.file(NAME_FILE)) {
        let name = name.trim();
        if name.len() == 2 * NAME_BYTES && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(name.to_owned());
        }
    }
    let mut bytes = [0; NAME_BYTES];
    random.fill(&mut bytes);
    let name = cress_domain::Hex(&bytes).to_string();
    data_dir.write(NAME_FILE, name.as_bytes())?;
    Ok(name)
}
