// SPDX-License-Identifier: Apache-2.0
//! Certificate authorities: one is to follow another, and one is trusted no more.

use std::fs;

use serde_json::{Value, json};

use super::matrix::{Moment, Scene, Stage};
use super::sites::Store;

pub(super) const SUCCESSION: Scene = Scene {
    name: "rotation of the certificate authority",
    settings: &[],
    later_seconds: 0,
    prepare: Some(|stage| json!(authorities(stage))),
    // Asked again, it makes no third one.
    act: |stage| stage.control.ask(&["ca", "rotate"]).map(drop),
    check: |stage, before, moment| {
        let now = authorities(stage);
        let rotated = now.len() == 2;
        assert!(rotated || moment == Moment::AfterCrash && now.len() == 1, "{now:?}");
        assert_eq!((&now[0]["fingerprint"], &now[0]["state"]), (&before[0]["fingerprint"], &json!("signing")));
        assert_eq!(now[0]["retires_at"].is_string(), rotated, "the old one ends because the new one is there: {now:?}");
        if rotated {
            assert_eq!(now[1]["state"], "next");
        }
        let file = stage.control.data_dir().join("ca.pem");
        stage
            .until("ca.pem to name all of them", |_| {
                let pem = fs::read_to_string(&file).unwrap();
                Ok((pem.matches("BEGIN CERTIFICATE").count() == now.len()).then_some(()))
            })
            .unwrap();
    },
};

fn authorities(stage: &Stage) -> Vec<Value> {
    stage.control.list("ca").unwrap()
}

/// The old one is trusted no more, and nothing of it is left in the store's files, however often the cleaning was cut off.
pub(super) const RETIREMENT: Scene = Scene {
    name: "retirement of a certificate authority",
    settings: &[],
    later_seconds: 0,
    prepare: Some(|stage| {
        stage.control.admin(&["ca", "rotate"]);
        json!(authorities(stage))
    }),
    act: |stage| {
        match stage.control.list("ca")?.as_slice() {
            [old, _] => stage.control.ask(&["ca", "retire", old["fingerprint"].as_str().unwrap()]).map(drop),
            // It was done before the crash.
            _ => Ok(()),
        }
    },
    check: |stage, before, moment| {
        let now = authorities(stage);
        let retired = now.len() == 1;
        assert!(retired || moment == Moment::AfterCrash && now.len() == 2, "{now:?}");
        let (old, heir) = (&before[0]["fingerprint"], &before[1]["fingerprint"]);
        if retired {
            assert_eq!((&now[0]["fingerprint"], &now[0]["state"]), (heir, &json!("signing")));
        } else {
            assert_eq!((&now[0]["fingerprint"], &now[1]["fingerprint"]), (old, heir));
        }
        if moment == Moment::Done && stage.site.store == Store::Sqlite {
            let old = old.as_str().unwrap().as_bytes();
            stage
                .until("nothing of it to be left in the database's files", |_| {
                    Ok((!is_in_files(stage, old)).then_some(()))
                })
                .unwrap();
        }
    },
};

/// Whether SQLite's files hold these bytes.
fn is_in_files(stage: &Stage, bytes: &[u8]) -> bool {
    ["control.db", "control.db-wal"].iter().any(|name| {
        let content = fs::read(stage.control.data_dir().join(name)).unwrap_or_default();
        content.windows(bytes.len()).any(|window| window == bytes)
    })
}
