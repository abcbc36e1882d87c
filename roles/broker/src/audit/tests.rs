// SPDX-License-Identifier: Apache-2.0
//! Records from the handle to the sink and back.

mod failures;
mod sinks;
mod tampering;

use std::path::Path;
use std::sync::Arc;

use cress_domain::{DeploymentId, Timestamp};
use cress_jose::JwkSet;
use cress_keyring::{KeyEncryptionKeySource, KeyEncryptionKeys};
use cress_service::{Shutdown, SystemClock, SystemRandom};
use cress_store::audit::AuditStore;
use cress_store::{Database, DatabaseUrl};
use cress_testkit::SeededRandom;

use super::verify::{Keys, Problem, Report, Verifier};
use super::{Audit, AuditKeys, AuditPorts, Event, Hashed, Record, Settings, SinkName, What, Who};

/// A broker's surroundings in a folder of its own.
struct Bench {
    directory: tempfile::TempDir,
    store: AuditStore,
    keys: Arc<KeyEncryptionKeys>,
}

impl Bench {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = AuditStore::open(&database(directory.path()).await).await.unwrap();
        let kek = directory.path().join("kek");
        cress_keyring::generate_file(&kek).unwrap();
        let source: KeyEncryptionKeySource = format!("file:{}", kek.display()).parse().unwrap();
        let keys = Arc::new(KeyEncryptionKeys::load(&[source], None).unwrap());
        Self { directory, store, keys }
    }

    fn ports(&self, seed: u64) -> AuditPorts {
        AuditPorts {
            store: self.store.clone(),
            keys: Arc::clone(&self.keys),
            deployment: DeploymentId::generate(&SeededRandom::new(7)),
            version: "0.0.0",
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(SeededRandom::new(seed)),
            shutdown: Shutdown::default(),
        }
    }

    /// Starts, records so many, and stops in good order.
    async fn records(&self, seed: u64, settings: &Settings, count: u32) {
        let ports = self.ports(seed);
        let shutdown = ports.shutdown.clone();
        let audit = Audit::start(settings, ports).await.unwrap();
        for number in 0..count {
            audit.record(&record(number)).await.unwrap();
        }
        stop(audit, &shutdown).await;
    }

    fn log(&self) -> std::path::PathBuf {
        self.directory.path().join("audit.log")
    }

    async fn public_keys(&self) -> Keys {
        let public = AuditKeys::public(&self.store).await.unwrap();
        Keys::new(&JwkSet::new(public.into_iter().map(|key| key.jwk).collect()).unwrap())
    }

    async fn verify(&self, text: &[u8]) -> Report {
        verify(Verifier::new(self.public_keys().await), text)
    }
}

async fn database(directory: &Path) -> Database {
    Database::open(&DatabaseUrl::sqlite(directory.join("store.db"))).await.unwrap()
}

async fn stop(audit: Audit, shutdown: &Shutdown) {
    shutdown.request();
    drop(audit);
    assert_eq!(shutdown.drain().await, cress_service::shutdown::Drained::Complete);
}

fn settings(sinks: &[SinkName]) -> Settings {
    Settings { sinks: sinks.to_vec(), checkpoint_records: 4, ..Settings::default() }
}

fn record(number: u32) -> Record {
    let what = What { ttl_seconds: Some(number), ..What::default() };
    Record::done(Timestamp::from_unix_seconds(1_700_000_000), Event::Issue, Who::Operator, what)
}

/// As it is in a file: lines in order.
fn verify(mut verifier: Verifier, text: &[u8]) -> Report {
    let mut parts: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let rest = parts.pop().unwrap_or_default();
    parts.iter().for_each(|line| verifier.prepare(line));
    for (line, number) in parts.into_iter().zip(1..) {
        verifier.line(&format!("line {number}"), line);
    }
    verifier.rest("the end", rest);
    verifier.finish()
}

#[tokio::test]
async fn a_token_is_known_again_by_its_hash_after_a_restart_and_with_another_store_by_no_one() {
    let hash = async |bench: &Bench| {
        let keys = AuditKeys::open(&bench.store, &bench.keys, &SystemRandom, &SystemClock::new()).await;
        keys.unwrap().hash.hash(Hashed::Token, b"a.b.c")
    };
    let (bench, other) = (Bench::new().await, Bench::new().await);
    assert_eq!(hash(&bench).await, hash(&bench).await);
    assert_ne!(hash(&bench).await, hash(&other).await);
}

#[tokio::test]
async fn a_new_key_signs_from_the_next_start_and_the_old_one_still_vouches_for_what_it_signed() {
    let bench = Bench::new().await;
    let settings = settings(&[SinkName::File(bench.log())]);
    bench.records(1, &settings, 3).await;
    let kid = AuditKeys::rotate(&bench.store, &bench.keys, &SystemClock::new()).await.unwrap();
    bench.records(2, &settings, 3).await;
    let text = std::fs::read(bench.log()).unwrap();
    assert!(bench.verify(&text).await.intact);
    let public = AuditKeys::public(&bench.store).await.unwrap();
    assert_eq!(public.iter().filter_map(|key| key.jwk.kid()).collect::<Vec<_>>().last(), Some(&&kid));
    // With the new one alone, what the old one signed is known to be signed by another.
    let newest = public.last().unwrap().jwk.clone();
    let report = verify(Verifier::new(Keys::new(&JwkSet::new(vec![newest]).unwrap())), &text);
    assert!(!report.intact);
    assert!(report.findings.iter().all(|finding| matches!(finding.problem, Problem::UnknownKey { .. })), "{report:?}");
}

#[tokio::test]
async fn keys_move_to_another_key_encryption_key() {
    let bench = Bench::new().await;
    bench.records(1, &settings(&[SinkName::Store]), 1).await;
    let kek = bench.directory.path().join("kek");
    let both = cress_keyring::with_new_key(&std::fs::read_to_string(&kek).unwrap()).unwrap();
    std::fs::write(&kek, both.as_str()).unwrap();
    let source: KeyEncryptionKeySource = format!("file:{}", kek.display()).parse().unwrap();
    let keys = KeyEncryptionKeys::load(&[source], None).unwrap();
    assert_eq!(AuditKeys::rewrap(&bench.store, &keys).await.unwrap(), 2);
    assert_eq!(AuditKeys::rewrap(&bench.store, &keys).await.unwrap(), 0);
    AuditKeys::open(&bench.store, &keys, &SystemRandom, &SystemClock::new()).await.unwrap();
}
