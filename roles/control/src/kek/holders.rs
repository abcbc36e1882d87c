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
/// In the data directory: what tells this replica from others.
const NAME_FILE: &str = "replica";
const NAME_BYTES: usize = 6;
/// Former names that are remembered: more than one only after a start that was cut off.
const NAMES_MAX: usize = 16;

impl KeyEncryption {
    /// Tells now.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(crate) async fn note(&self) -> Result<(), StoreError> {
        let (replica, key_encryption_keys) = (self.0.replica.clone(), self.0.keys.descriptions());
        let holder = KeyEncryptionKeyHolder { replica, key_encryption_keys, seen_at: self.0.clock.now() };
        self.0.rings.note_holder(&holder, HEARD_OF_MAX).await
    }

    /// Tells for the first time, and takes the place of what this replica was before it was last started.
    ///
    /// # Errors
    /// [`StartError`](crate::start::StartError)
    pub(crate) async fn introduce(
        &self,
        name: &ReplicaName,
        data_dir: &DataDir,
    ) -> Result<(), crate::start::StartError> {
        self.note().await?;
        for former in &name.former {
            self.0.rings.forget_holder(former).await?;
        }
        Ok(name.settled(data_dir)?)
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

/// What a replica is called, and what it was called before it was last started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReplicaName {
    pub(crate) now: String,
    former: Vec<String>,
}

impl ReplicaName {
    /// A name of this data directory's and of this start: a copy of the directory, started elsewhere, is another replica, whose keys must
    /// not be taken for this one's. To be called while the directory is locked, so that whoever had a former name no longer runs.
    ///
    /// # Errors
    /// [`DataDirError`]
    pub(crate) fn take(data_dir: &DataDir, random: &dyn Random) -> Result<Self, DataDirError> {
        let text = std::fs::read_to_string(data_dir.file(NAME_FILE)).unwrap_or_default();
        let former: Vec<String> =
            text.lines().filter(|name| is_name(name)).take(NAMES_MAX).map(str::to_owned).collect();
        let place = former.first().and_then(|name| name.split('-').next()).map(str::to_owned);
        let now = format!("{}-{}", place.unwrap_or_else(|| hex(random)), hex(random));
        // The former ones stay until the store has forgotten them.
        let all: Vec<&str> = std::iter::once(&now).chain(&former).map(String::as_str).collect();
        data_dir.write(NAME_FILE, all.join("\n").as_bytes())?;
        Ok(Self { now, former })
    }

    /// The store has forgotten the former ones.
    fn settled(&self, data_dir: &DataDir) -> Result<(), DataDirError> {
        if self.former.is_empty() { Ok(()) } else { data_dir.write(NAME_FILE, self.now.as_bytes()) }
    }
}

fn is_name(text: &str) -> bool {
    text.split('-').all(|part| part.len() == 2 * NAME_BYTES && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn hex(random: &dyn Random) -> String {
    let mut bytes = [0; NAME_BYTES];
    random.fill(&mut bytes);
    cress_domain::Hex(&bytes).to_string()
}

#[cfg(test)]
mod tests {
    use cress_testkit::SeededRandom;

    use super::*;

    #[test]
    fn each_start_has_a_name_of_its_own_and_knows_those_before() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(&directory.path().join("data")).unwrap();
        let random = SeededRandom::default();
        std::fs::write(data_dir.file(NAME_FILE), "0123456789ab\n../..\n").unwrap();
        let first = ReplicaName::take(&data_dir, &random).unwrap();
        assert_eq!(first.former, ["0123456789ab"], "as an older cress wrote it");
        assert!(first.now.starts_with("0123456789ab-"), "{first:?}");

        // Cut off before the store has forgotten the former one.
        let second = ReplicaName::take(&data_dir, &random).unwrap();
        assert_eq!(second.former, [first.now.as_str(), "0123456789ab"]);
        assert_ne!(second.now, first.now);
        second.settled(&data_dir).unwrap();
        assert_eq!(ReplicaName::take(&data_dir, &random).unwrap().former, [second.now]);
    }
}
