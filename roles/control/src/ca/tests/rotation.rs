// SPDX-License-Identifier: Apache-2.0
use cress_store::control::AuthorityRetirement;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls_pki_types::{ServerName, UnixTime};

use super::*;
use crate::ca::rotation::AuthorityState::{Next, Retiring, Signing};

pub(super) const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

fn states(ca: &CertificateAuthority) -> Vec<AuthorityState> {
    ca.list().iter().map(|summary| summary.state).collect()
}

pub(super) fn server(ca: &CertificateAuthority) -> ServerCertificate {
    ServerCertificate::new(ca.clone(), NAMES.map(str::to_owned).to_vec()).unwrap()
}

/// Whether who trusts these authorities, and nothing else, takes this server for control.
fn knows(authorities_pem: &str, server: &ServerCertificate, fixture: &Fixture) -> bool {
    verifies(authorities_pem, &server.identity().chain(), fixture)
}

/// Whether they take whoever shows this chain, and has the key of its first certificate, for control.
pub(super) fn verifies(authorities_pem: &str, chain: &[CertificateDer<'_>], fixture: &Fixture) -> bool {
    let mut roots = RootCertStore::empty();
    for authority in parts(authorities_pem) {
        roots.add(authority).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let seconds = u64::try_from(fixture.clock.now().unix_seconds()).unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let name = ServerName::try_from("localhost").unwrap();
    verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], now).is_ok()
}

#[tokio::test]
async fn one_authority_follows_another_and_whoever_slept_knows_control_still() {
    let fixture = Fixture::new().await;
    let ca = fixture.open(&keys(key("one", 1), Vec::new())).await.unwrap();
    let server = server(&ca);
    let old = ca.authorities_pem();
    let mut told = ca.subscribe();
    ca.rotate().await.unwrap();
    assert!(told.has_changed().unwrap(), "nodes are told before it signs");
    let both = told.borrow_and_update().to_string();
    assert_eq!(parts(&both).len(), 2);
    let new = both.strip_prefix(&old).unwrap().to_owned();
    assert_eq!(states(&ca), [Signing, Next]);
    server.renew_if_due().unwrap();
    assert!(knows(&old, &server, &fixture) && knows(&both, &server, &fixture) && !knows(&new, &server, &fixture));
    assert_eq!(fingerprint(&parts(&old)[0]), ca.fingerprint().unwrap());

    fixture.clock.advance(DAY);
    ca.step().await.unwrap();
    server.renew_if_due().unwrap();
    assert_eq!(states(&ca), [Retiring, Signing]);
    assert!(knows(&new, &server, &fixture) && knows(&old, &server, &fixture));
    // Join tokens that name the old one are good for as long as it is trusted.
    assert!(server.identity().chain().contains(&parts(&old)[0]));

    fixture.clock.advance(8 * DAY);
    ca.step().await.unwrap();
    server.renew_if_due().unwrap();
    assert_eq!((ca.authorities_pem(), states(&ca)), (new.clone(), vec![Signing]));
    assert_eq!(fixture.store.certificate_authorities().await.unwrap().len(), 1, "its private key is gone");
    assert!(knows(&new, &server, &fixture) && knows(&old, &server, &fixture));
    assert!(!server.identity().chain().contains(&parts(&old)[0]));
}

#[tokio::test]
async fn whoever_slept_through_several_changes_knows_control_still() {
    let fixture = Fixture::new().await;
    let ca = fixture.open(&keys(key("one", 1), Vec::new())).await.unwrap();
    let first = ca.authorities_pem();
    let foreign = Fixture::new().await.open(&keys(key("one", 1), Vec::new())).await.unwrap().authorities_pem();
    for change in 1..=5 {
        ca.rotate().await.unwrap();
        fixture.clock.advance(20 * DAY);
        ca.step().await.unwrap();
        assert_eq!(states(&ca), [Signing]);
        let server = server(&ca);
        assert_eq!(knows(&first, &server, &fixture), change <= 4, "change {change}");
        assert!(knows(&ca.authorities_pem(), &server, &fixture) && !knows(&foreign, &server, &fixture));
    }
}

#[tokio::test]
async fn however_many_want_it_there_is_one_successor() {
    let fixture = Fixture::new().await;
    let keys = keys(key("one", 1), Vec::new());
    let (one, other) = (fixture.open(&keys).await.unwrap(), fixture.open(&keys).await.unwrap());
    let (first, second) = tokio::join!(one.rotate(), other.rotate());
    first.unwrap();
    second.unwrap();
    one.rotate().await.unwrap();
    other.refresh().await.unwrap();
    assert_eq!(states(&one), [Signing, Next]);
    assert_eq!(one.list(), other.list());
    assert_eq!(one.authorities_pem(), other.authorities_pem());
    let again = fixture.open(&keys).await.unwrap();
    assert_eq!(again.list(), one.list());
}

#[tokio::test]
async fn an_authority_is_followed_before_its_end_without_being_asked() {
    let fixture = Fixture::new().await;
    let ca = fixture.open(&keys(key("one", 1), Vec::new())).await.unwrap();
    fixture.clock.advance((3_652 - 181) * DAY);
    ca.step().await.unwrap();
    assert_eq!(states(&ca), [Signing]);
    fixture.clock.advance(2 * DAY);
    ca.step().await.unwrap();
    ca.step().await.unwrap();
    assert_eq!(states(&ca), [Signing, Next]);
}

#[tokio::test]
async fn an_authority_is_retired_at_once_but_never_the_only_one() {
    let fixture = Fixture::new().await;
    let ca = fixture.open(&keys(key("one", 1), Vec::new())).await.unwrap();
    let old = ca.list()[0].fingerprint;
    assert_eq!(ca.retire(old).await.unwrap(), AuthorityRetirement::Only);
    ca.rotate().await.unwrap();
    assert_eq!(ca.retire(old).await.unwrap(), AuthorityRetirement::Retired);
    assert_eq!(states(&ca), [Signing]);
    assert_ne!(ca.list()[0].fingerprint, old);
    assert_eq!(parts(&ca.authorities_pem()).len(), 1);
    assert!(ca.retire(old).await.is_err());
}

#[tokio::test]
async fn no_authority_is_retired_while_an_older_one_vouches_for_it() {
    let fixture = Fixture::new().await;
    let ca = fixture.open(&keys(key("one", 1), Vec::new())).await.unwrap();
    ca.rotate().await.unwrap();
    let [old, stolen] = ca.list().iter().map(|authority| authority.fingerprint).collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(ca.retire(stolen).await.unwrap(), AuthorityRetirement::VouchedFor);
    assert_eq!(states(&ca), [Signing, Next], "nothing has changed");

    // What ends the trust in it: nobody who vouches for it is left, and then it is not either.
    assert_eq!(ca.retire(old).await.unwrap(), AuthorityRetirement::Retired);
    assert_eq!(ca.retire(stolen).await.unwrap(), AuthorityRetirement::Only);
    ca.rotate().await.unwrap();
    assert_eq!(ca.retire(stolen).await.unwrap(), AuthorityRetirement::Retired);
    assert_eq!(states(&ca), [Signing]);
    assert!(ca.list().iter().all(|authority| ![old, stolen].contains(&authority.fingerprint)));
}

#[tokio::test]
async fn an_authority_that_a_database_writer_adds_is_refused() {
    let fixture = Fixture::new().await;
    let ca = fixture.open(&keys(key("one", 1), Vec::new())).await.unwrap();
    let own = ca.list();
    let now = fixture.clock.now();
    let authority = Arc::new(Authority::generate(now, &SystemRandom).unwrap());
    let term = Term { authority, created_at: now, signs_from: now, retires_at: None, cross: Vec::new() };
    let forged = stored::seal(&term, &keys(key("one", 9), Vec::new())).unwrap();
    fixture.store.succeed_certificate_authority(own[0].fingerprint, &forged, now + 8 * DAY).await.unwrap();
    let refused = ca.refresh().await.unwrap_err();
    assert!(
        matches!(&refused, CaError::Unusable { count: 1, fingerprint, .. } if *fingerprint == forged.fingerprint),
        "{refused}"
    );
    assert_eq!(ca.list().iter().map(|known| known.fingerprint).collect::<Vec<_>>(), [own[0].fingerprint]);
    assert!(fixture.open(&keys(key("one", 1), Vec::new())).await.is_err(), "no start with it");
}

/// One that cannot be used is no reason to go on trusting another one that was retired.
#[tokio::test]
async fn a_damaged_authority_does_not_freeze_the_others() {
    let fixture = Fixture::new().await;
    let ca = fixture.open(&keys(key("one", 1), Vec::new())).await.unwrap();
    fixture.clock.advance(Duration::from_secs(1));
    let now = fixture.clock.now();
    let old = ca.list()[0].fingerprint;
    let other = Authority::generate(now, &SystemRandom).unwrap();
    let damaged = Term {
        authority: Arc::new(other),
        created_at: now,
        signs_from: now - DAY,
        retires_at: None,
        cross: Vec::new(),
    };
    let damaged = stored::seal(&damaged, &keys(key("one", 9), Vec::new())).unwrap();
    ca.rotate().await.unwrap();
    let successor = ca.list()[1].fingerprint;
    fixture.store.succeed_certificate_authority(successor, &damaged, now + 8 * DAY).await.unwrap();
    ca.check_current().unwrap();
    assert!(matches!(ca.step().await, Err(CaError::Unusable { count: 1, .. })));
    assert_eq!(ca.check_current(), Err(NotCurrent::Incomplete(1)));

    // What another replica does is followed all the same.
    for gone in [damaged.fingerprint, old] {
        let retired = fixture.store.retire_certificate_authority(gone, now).await.unwrap();
        assert_eq!(retired, AuthorityRetirement::Retired);
    }
    ca.step().await.unwrap();
    assert_eq!(ca.list().iter().map(|known| known.fingerprint).collect::<Vec<_>>(), [successor]);
    ca.check_current().unwrap();
}

#[tokio::test]
async fn a_list_that_could_not_be_read_for_long_is_told() {
    let fixture = Fixture::new().await;
    let ca = fixture.open(&keys(key("one", 1), Vec::new())).await.unwrap();
    fixture.clock.advance(Duration::from_secs(61));
    assert_eq!(ca.check_current(), Err(NotCurrent::Old(Duration::from_secs(61))));
    ca.step().await.unwrap();
    ca.check_current().unwrap();
}

/// Whoever retired an authority may have been cut off before it cleaned up.
#[tokio::test]
async fn what_was_removed_is_cleaned_up_by_whoever_looks_next() {
    let fixture = Fixture::new().await;
    let ca = fixture.open(&keys(key("one", 1), Vec::new())).await.unwrap();
    let old = ca.list()[0].fingerprint;
    ca.rotate().await.unwrap();
    fixture.store.retire_certificate_authority(old, fixture.clock.now()).await.unwrap();
    let is_left = || {
        let (needle, directory) = (old.to_string().into_bytes(), fixture._directory.path());
        let content = |name| std::fs::read(directory.join(name)).unwrap_or_default();
        ["control.db", "control.db-wal"]
            .map(content)
            .iter()
            .any(|bytes| bytes.windows(needle.len()).any(|part| part == needle))
    };
    assert!(is_left(), "the log of the database has it still");
    ca.step().await.unwrap();
    assert!(!is_left());
}
