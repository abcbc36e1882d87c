// SPDX-License-Identifier: Apache-2.0
//! A database that the first cress has filled, brought up to date by the one of today.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::fleet::{create, enrol, ids};
use super::matrix::{Scene, Stage};
use super::sites::{Store, server};

/// The first script of each module that had tables then.
const FIRST: [(&str, &str); 2] = [
    ("control", include_str!("../../../libs/store/migrations/control/0001_fleet.sql")),
    ("keyring", include_str!("../../../libs/store/migrations/keyring/0001_rings.sql")),
];
const HISTORY: &str =
    "CREATE TABLE store_migrations (module TEXT NOT NULL, version BIGINT NOT NULL, PRIMARY KEY (module, version));";

pub(super) const MIGRATION: Scene = Scene {
    name: "migration of old tables",
    settings: &[("CRESS_CONTROL_STORE__MIGRATE_AT_START", "true")],
    // The start itself is what happens.
    later_seconds: 1,
    prepare: Some(|stage| {
        enrol(stage);
        create(stage, 3);
        stage.control.admin(&["nodes", "invite"]);
        let before = seen(stage);
        stage.control.program().interrupt();
        make_old(stage);
        before
    }),
    act: |_| Ok(()),
    check: |stage, before, _| assert_eq!(seen(stage), *before, "something was lost, or changed"),
};

/// All that was there in the first version, as an operator sees it.
fn seen(stage: &Stage) -> Value {
    let control = &stage.control;
    let of = |what: &str, members: &[&str]| -> Vec<Value> {
        let pick = |item: Value| members.iter().map(|member| item[member].clone()).collect();
        control.list(what).unwrap().into_iter().map(pick).collect()
    };
    json!({
        "nodes": of("nodes", &["machine_id", "name", "state", "capacity", "certificate_not_after"]),
        "instances": ids(&control.list("instances").unwrap()),
        "invitations": control.ask(&["nodes", "invitations"]).unwrap(),
        "keys": of("keys", &["kid", "state", "created_at", "signs_from", "key_encryption_key"]),
        "authorities": of("ca", &["fingerprint", "state", "created_at"]),
        "groups": control.ask(&["groups", "list", "--organization", "acme", "--project", "default"]).unwrap(),
        "published": control.published(),
    })
}

/// The tables are those of the first scripts, with the rows that are there, as far as their columns were known.
fn make_old(stage: &Stage) {
    match stage.site.store {
        Store::Sqlite => make_old_file(&stage.control.data_dir().join("control.db")),
        Store::Postgres => make_old_schema(stage.site.database()),
    }
}

fn script() -> String {
    let versions = FIRST.map(|(module, _)| format!("INSERT INTO store_migrations VALUES ('{module}', 1);"));
    format!("{HISTORY}\n{}\n{}", FIRST.map(|(_, script)| script).join("\n"), versions.join("\n"))
}

fn make_old_schema(database: &str) {
    let script = script();
    server().sql(
        database,
        &format!(
            "ALTER SCHEMA public RENAME TO today; CREATE SCHEMA public; {script}
            DO $$ DECLARE t RECORD; BEGIN
                DELETE FROM control_state;
                FOR t IN SELECT relname AS name, (SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0) AS columns
                    FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'store_migrations' ORDER BY oid LOOP
                    EXECUTE format('INSERT INTO public.%I (%s) SELECT %s FROM today.%I', t.name, t.columns, t.columns, t.name);
                END LOOP;
            END $$;
            DROP SCHEMA today CASCADE;"
        ),
    );
}

fn make_old_file(file: &Path) {
    const PROGRAM: &str = r#"
import os, sqlite3, sys
today, old, script = sys.argv[1], sys.argv[1] + ".old", sys.argv[2]
db = sqlite3.connect(old)
db.executescript(script)
db.execute("ATTACH ? AS today", (today,))
db.execute("DELETE FROM control_state")
tables = db.execute("SELECT name FROM main.sqlite_master WHERE type = 'table' AND name <> 'store_migrations' ORDER BY rowid")
for (name,) in tables.fetchall():
    columns = ", ".join(row[1] for row in db.execute(f"PRAGMA main.table_info({name})"))
    db.execute(f"INSERT INTO main.{name} ({columns}) SELECT {columns} FROM today.{name}")
db.commit()
db.close()
for end in ("-wal", "-shm"):
    if os.path.exists(today + end):
        os.remove(today + end)
os.replace(old, today)
"#;
    let output = Command::new("python3").args(["-c", PROGRAM]).arg(file).arg(script()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}
