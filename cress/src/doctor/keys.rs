// SPDX-License-Identifier: Apache-2.0
//! Keys: those that protect others, those that sign tokens, and those of certificate authorities. Of each only its id is told.

use cress_control::{Config, InspectedAuthority, inspect_authorities};
use cress_domain::Timestamp;
use cress_keyring::{KeyEncryptionKeySource, KeyEncryptionKeys, KeyState, RingInspection};
use cress_store::Inspection;

use super::certificates;
use super::files;
use super::report::Report;

const PUT_BACK: &str = "configure the key-encryption key that it was sealed with among key_encryption.keys, or restore the backup that belongs to this one";

/// The key-encryption keys, as far as they can be read.
pub(super) fn encryption(report: &mut Report, config: &Config) -> Option<KeyEncryptionKeys> {
    let sources = config.key_encryption_sources();
    for source in &sources {
        if let KeyEncryptionKeySource::File(path) = source
            && path.exists()
        {
            files::owners_alone(report, "keys.encryption.mode", path, "the key-encryption key");
            if files::lies_in(path, &config.data_dir) {
                let message = format!("the key-encryption key {} lies in the data directory", path.display());
                report.warning(
                    "keys.encryption.place",
                    message,
                    "move it elsewhere: whoever gets a backup of the directory would get both",
                );
            }
        }
    }
    if is_new(config, &sources) {
        report.ok("keys.encryption", "no key-encryption key yet: the first start makes one beside the data directory");
        return None;
    }
    match config.key_encryption_keys() {
        Ok(keys) => {
            report.ok("keys.encryption", format!("private keys are sealed with {}", keys.active()));
            Some(keys)
        }
        Err(error) => {
            report.problem(
                "keys.encryption",
                error.to_string(),
                "put the key back, or say where it is with key_encryption.keys",
            );
            None
        }
    }
}

/// Neither key nor database is there: nothing is lost.
fn is_new(config: &Config, sources: &[KeyEncryptionKeySource]) -> bool {
    let absent =
        |source: &KeyEncryptionKeySource| matches!(source, KeyEncryptionKeySource::File(path) if !path.exists());
    let file = config.database_url().ok().and_then(|url| url.file().map(|file| !file.exists()));
    config.key_encryption.keys.is_empty() && sources.iter().all(absent) && file == Some(true)
}

/// The keys that sign tokens: whether they open, and whether their schedule is kept.
pub(super) async fn signing(
    report: &mut Report,
    config: &Config,
    store: &Inspection,
    keys: Option<&KeyEncryptionKeys>,
    now: Timestamp,
    runs: bool,
) -> Option<RingInspection> {
    let settings = config.key_ring_settings();
    let ring = match RingInspection::of(&store.key_rings(), keys, &settings, now).await {
        Ok(ring) => ring,
        Err(error) => {
            report.failure("keys.signing", error);
            return None;
        }
    };
    for key in &ring.keys {
        if let Some(error) = &key.unreadable {
            report.problem("keys.signing.open", error.to_string(), PUT_BACK);
        }
    }
    rewrap(report, keys, ring.keys.iter().map(|key| key.summary.key_encryption_key.as_str()));
    ahead(report, &ring, now + settings.skew);
    schedule(report, &ring, runs);
    Some(ring)
}

fn schedule(report: &mut Report, ring: &RingInspection, runs: bool) {
    const SCHEDULE: &str = "keys.schedule";
    let Some(active) = ring.active() else {
        if ring.keys.is_empty() {
            report.ok(SCHEDULE, "no signing key yet: the first start makes two");
        } else {
            report.problem(SCHEDULE, "no key signs now", "start control: it lets the newest published key sign");
        }
        return;
    };
    let (kid, until) = (&active.summary.kid, active.summary.signs_until.rfc3339());
    match ring.in_state(KeyState::Next).next() {
        Some(next) => {
            let from = next.summary.signs_from.rfc3339();
            report.ok(SCHEDULE, format!("{kid} signs until {until}; {} follows at {from}", next.summary.kid));
        }
        None => report.warning(
            SCHEDULE,
            format!("{kid} signs until {until}, and no next key is published"),
            "let control run: it makes one in time, and no key signs before it was public for its lead time",
        ),
    }
    match (ring.has_work_due, runs) {
        (true, true) => report.problem(
            "keys.rotation",
            "a change of the key ring is due that the running control has not made",
            "look into its log: it cannot write to its database, or another database is meant",
        ),
        (true, false) => {
            report.warning("keys.rotation", "a change of the key ring is due", "start control, which makes it");
        }
        (false, _) => report.ok("keys.rotation", "nothing is due now"),
    }
}

/// A key from the future: one of two clocks is wrong.
fn ahead(report: &mut Report, ring: &RingInspection, latest: Timestamp) {
    let revoked = |key: &&cress_keyring::InspectedKey| key.summary.revoked_at.is_none();
    if let Some(key) = ring.keys.iter().filter(revoked).find(|key| key.summary.created_at > latest) {
        let message =
            format!("{} was made at {}, which lies in the future", key.summary.kid, key.summary.created_at.rfc3339());
        report.problem("clock.store", message, "set this machine's clock right; if it is right, revoke that key");
    }
}

fn rewrap<'a>(report: &mut Report, keys: Option<&KeyEncryptionKeys>, sealed_with: impl Iterator<Item = &'a str>) {
    let Some(active) = keys.map(KeyEncryptionKeys::active) else { return };
    let others: std::collections::BTreeSet<&str> = sealed_with.filter(|id| *id != active.as_str()).collect();
    if !others.is_empty() {
        let others = others.into_iter().collect::<Vec<_>>().join(", ");
        report.warning(
            "keys.rewrap",
            format!("private keys are still sealed with {others}, though {active} is active"),
            "cress admin kek rotate",
        );
    }
}

/// The certificate authorities of the node API: whether they open, and how long they last.
pub(super) async fn authorities(
    report: &mut Report,
    store: &Inspection,
    keys: Option<&KeyEncryptionKeys>,
    now: Timestamp,
) -> Vec<InspectedAuthority> {
    let authorities = match inspect_authorities(&store.control(), keys).await {
        Ok(authorities) => authorities,
        Err(error) => {
            report.failure("ca", error);
            return Vec::new();
        }
    };
    for authority in &authorities {
        let short = authority.fingerprint.get(..16).unwrap_or(&authority.fingerprint);
        if let Some(error) = &authority.unreadable {
            report.problem("ca.open", format!("certificate authority {short}: {error}"), PUT_BACK);
        }
        match authority.not_after {
            Some(end) => certificates::life(report, "ca", &format!("certificate authority {short}"), end, now, RENEW),
            None => report.problem("ca", format!("the certificate of authority {short} cannot be read"), PUT_BACK),
        }
    }
    rewrap(report, keys, authorities.iter().map(|authority| authority.key_encryption_key.as_str()));
    authorities
}

const RENEW: certificates::Renewal =
    certificates::Renewal { days: 90, remedy: "make another authority and let nodes learn of it before this one ends" };
