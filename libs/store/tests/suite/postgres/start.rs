// SPDX-License-Identifier: Apache-2.0
//! How a server is reached, and the first use of a database: replicas together, passwords, TLS, rights.

use cress_domain::Secret;
use cress_store::StoreErrorKind::{Permanent, Temporary};
use cress_store::control::ControlStore;
use cress_store::keyring::{KeyRecord, KeyRingStore};
use cress_store::{Database, DatabaseOptions, DatabaseUrl, Migrations, Sealed, migrate_all, versions};
use cress_testkit::postgres::{Postgres, Version};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::conformance::keyring::{WORKLOAD, key};
use crate::faults::check;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_may_start_on_an_empty_database_at_once() {
    for version in [Version::V15, Version::V18] {
        let url: DatabaseUrl = Postgres::shared(version).create_database().parse().unwrap();
        let start = || {
            let url = url.clone();
            tokio::spawn(async move {
                let database = Database::open(&url).await?;
                let store = ControlStore::open(&database).await?;
                KeyRingStore::open(&database).await?;
                store.revision().await
            })
        };
        let tasks: Vec<_> = (0..8).map(|_| start()).collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn old_tables_wait_for_the_operator_where_that_is_wanted() {
    let server = Postgres::shared(Version::V15);
    let url = server.create_database();
    let options = DatabaseOptions { migrations: Migrations::Refuse, ..DatabaseOptions::default() };
    let database = Database::open_with(&url.parse().unwrap(), options).await.unwrap();
    ControlStore::open(&database).await.unwrap();
    assert!(
        versions(&database).await.unwrap().iter().any(|module| module.found == 0),
        "the key rings' are not there yet"
    );
    migrate_all(&database).await.unwrap();
    assert!(versions(&database).await.unwrap().iter().all(|module| module.found == module.known));
    server
        .sql(url.rsplit('/').next().unwrap(), "DELETE FROM store_migrations WHERE module = 'control' AND version > 1");
    check(ControlStore::open(&database).await.map(drop), Permanent, "cress admin store migrate --apply");
}

/// Rows are all that a running control has to write: a role that may not make tables is enough once they are there.
#[tokio::test]
async fn rights_to_rows_are_enough_after_the_first_start() {
    let server = Postgres::shared(Version::V15);
    let url = server.create_database();
    let (name, owner) =
        (url.rsplit('/').next().unwrap().to_owned(), Database::open(&url.parse().unwrap()).await.unwrap());
    ControlStore::open(&owner).await.unwrap();
    let role = format!("rows_{name}");
    server.sql(&name, &format!("CREATE ROLE {role} LOGIN"));
    let url: DatabaseUrl = url.replace("postgres@", &format!("{role}@")).parse().unwrap();
    let database = Database::open(&url).await.unwrap();
    check(ControlStore::open(&database).await.map(drop), Permanent, "the database's user may not do that");
    server.sql(&name, &format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"));
    let store = ControlStore::open(&database).await.unwrap();
    store.prune(crate::support::at(0)).await.unwrap();
    check(KeyRingStore::open(&database).await.map(drop), Permanent, "the database's user may not do that");
}

#[tokio::test]
async fn what_does_not_fit_has_a_sentence() {
    let server = Postgres::shared(Version::V18);
    let url: DatabaseUrl = server.url("no_such").parse().unwrap();
    check(Database::open(&url).await.map(drop), Permanent, "the server has no such database");
    server.sql("postgres", "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    let url: DatabaseUrl = server.url("latin").parse().unwrap();
    check(Database::open(&url).await.map(drop), Permanent, "expected a database with the encoding UTF8, got LATIN1");
}

/// A server with passwords, and TLS with a certificate by an authority of its own.
fn guarded() -> (Postgres, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let mut server = Postgres::start(Version::V15);
    server.sql("postgres", "CREATE ROLE cress LOGIN PASSWORD 'hunter2'");
    server.sql("postgres", "CREATE DATABASE cress OWNER cress");
    server.stop();
    server.put("server.crt", certificate.pem().as_bytes());
    server.put("server.key", key.serialize_pem().as_bytes());
    server.put("pg_hba.conf", b"host all postgres all trust\nhostssl all cress all scram-sha-256\n");
    server.put("postgresql.auto.conf", b"ssl = on\n");
    server.restart_stopped();
    (server, authority.pem())
}

#[tokio::test]
async fn passwords_and_certificates_are_checked() {
    let (server, authority) = guarded();
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, pem: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path.display().to_string()
    };
    let right = file("right.pem", &authority);
    let stranger = KeyPair::generate().unwrap();
    let wrong = file("wrong.pem", &CertificateParams::default().self_signed(&stranger).unwrap().pem());
    let port = server.port();
    let open = async |user: &str, host: &str, parameters: &str| {
        let url: DatabaseUrl = format!("postgres://{user}@{host}:{port}/cress?{parameters}").parse().unwrap();
        let outcome = Database::open(&url).await.map(drop);
        assert!(!format!("{outcome:?}").contains("hunter"), "{outcome:?}");
        outcome
    };
    let verified = format!("sslmode=verify-full&sslrootcert={right}");
    open("cress:hunter2", "localhost", &verified).await.unwrap();
    open("cress:hunter2", "127.0.0.1", "sslmode=require").await.unwrap();
    check(open("cress:hunter3", "localhost", &verified).await, Permanent, "the server refused the user");
    check(open("cress", "localhost", &verified).await, Permanent, "");
    check(open("cress:hunter2", "127.0.0.1", "sslmode=disable").await, Permanent, "the server refused the user");
    for (host, parameters) in [
        ("127.0.0.1", verified.clone()),
        ("localhost", "sslmode=verify-full".to_owned()),
        ("localhost", format!("sslmode=verify-full&sslrootcert={wrong}")),
    ] {
        check(open("cress:hunter2", host, &parameters).await, Permanent, "TLS with the database failed");
    }
    let from_elsewhere: DatabaseUrl = format!("postgres://cress@localhost:{port}/cress?{verified}").parse().unwrap();
    let url = from_elsewhere.with_password(Secret::new("hunter2".to_owned()));
    ControlStore::open(&Database::open(&url).await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_server_without_tls_is_not_spoken_to_as_if_it_had() {
    let server = Postgres::shared(Version::V15);
    let url: DatabaseUrl = format!("{}?sslmode=require", server.url("postgres")).parse().unwrap();
    check(Database::open(&url).await.map(drop), Permanent, "TLS with the database failed");
}

#[tokio::test]
async fn a_server_without_room_has_a_sentence() {
    let server = Postgres::start_with(Version::V15, &["max_connections=6", "superuser_reserved_connections=5"]);
    server.sql("postgres", "CREATE ROLE cress LOGIN");
    let url = server.url("postgres").replace("postgres@", "cress@");
    let _taken = sqlx::AnyPool::connect({
        sqlx::any::install_default_drivers();
        &url
    })
    .await
    .unwrap();
    check(Database::open(&url.parse().unwrap()).await.map(drop), Temporary, "lower store.connections_max");
}

/// A private key wrapped anew must not be left in the tables' files under the former key-encryption key.
#[tokio::test]
async fn a_replaced_envelope_is_in_no_table() {
    const FORMER: &[u8] = b"the envelope of the former key-encryption key, long enough to be found";
    let server = Postgres::start(Version::V18);
    let database = Database::open(&server.create_database().parse().unwrap()).await.unwrap();
    let store = KeyRingStore::open(&database).await.unwrap();
    let of =
        |bytes: Vec<u8>| KeyRecord { private_key: Sealed { key_encryption_key: "kek".into(), bytes }, ..key("a", 0) };
    let version = store.replace(WORKLOAD, Default::default(), &[of(FORMER.to_vec())]).await.unwrap();
    let holds = || {
        server.sql("postgres", "CHECKPOINT");
        let files = server.directory().join("base").read_dir().unwrap();
        let files = files.flat_map(|directory| directory.unwrap().path().read_dir().unwrap());
        files.into_iter().any(|file| {
            let bytes = std::fs::read(file.unwrap().path()).unwrap_or_default();
            bytes.windows(FORMER.len()).any(|window| window == FORMER)
        })
    };
    assert!(holds());
    store.replace(WORKLOAD, version, &[of(vec![1; 200])]).await.unwrap();
    database.scrub().await.unwrap();
    assert!(!holds());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_does_not_own_the_tables_hears_that_nothing_was_written_anew() {
    let server = Postgres::shared(Version::V15);
    let url = server.create_database();
    let name = url.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
    let owner = Database::open(&url.parse().unwrap()).await.unwrap();
    KeyRingStore::open(&owner).await.unwrap();
    owner.scrub().await.unwrap();
    let role = format!("guest_{name}");
    server.sql(&name, &format!("CREATE ROLE {role} LOGIN"));
    server.sql(&name, &format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"));
    let url: DatabaseUrl = url.replace("postgres@", &format!("{role}@")).parse().unwrap();
    let guest = Database::open(&url).await.unwrap();
    check(guest.scrub().await, Permanent, "was not written anew");
}
