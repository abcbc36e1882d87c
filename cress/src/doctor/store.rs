// SPDX-License-Identifier: Apache-2.0
//! Control's database, opened for looking alone: whether it can be read, is this program's, and is whole.

use std::path::PathBuf;

use cress_control::{Config, database_of};
use cress_domain::Clock;
use cress_store::{DatabaseUrl, Inspection, ModuleVersion};

use super::report::Report;
use super::{files, reach};

/// Looks at the database. Gives it for looking further if its tables are this program's.
pub(super) async fn check(report: &mut Report, config: &Config, clock: &dyn Clock) -> Option<Inspection> {
    let (url, options) = match database_of(config) {
        Ok(database) => database,
        Err(error) => {
            report.failure("store.open", error);
            return None;
        }
    };
    if let Some(file) = url.file() {
        if !file.exists() {
            report.ok("store.open", format!("{url} is not there yet: the first start makes it"));
            return None;
        }
        for file in sqlite_files(&url) {
            files::owners_alone(report, "store.mode", &file, "the database's file");
        }
    }
    let inspection = match Inspection::open(&url, options).await {
        Ok(inspection) => inspection,
        Err(error) => {
            report.failure("store.open", error);
            return None;
        }
    };
    report.ok("store.open", format!("{url} can be read"));
    clock_of_server(report, &inspection, &url, clock).await;
    damage(report, &inspection).await;
    versions(report, &inspection).await.then_some(inspection)
}

/// Control does not go by a clock that is far off that of the database's server.
async fn clock_of_server(report: &mut Report, inspection: &Inspection, url: &DatabaseUrl, clock: &dyn Clock) {
    match inspection.clock().await {
        Ok(theirs) => reach::clocks(report, &url.to_string(), theirs, clock.now()),
        Err(error) => report.failure("store.open", error),
    }
}

/// The database and the files beside it, as far as they are there.
fn sqlite_files(url: &DatabaseUrl) -> Vec<PathBuf> {
    let Some(file) = url.file() else { return Vec::new() };
    let beside = ["", "-wal", "-shm"].map(|end| {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    });
    beside.into_iter().filter(|path| path.exists()).collect()
}

async fn damage(report: &mut Report, inspection: &Inspection) {
    const RESTORE: &str = "restore a backup: docs/backup-and-restore.md";
    match inspection.damage().await {
        Ok(damage) if damage.is_empty() => report.ok("store.integrity", "the database is whole"),
        Ok(damage) => {
            report.problem("store.integrity", format!("the database is damaged: {}", damage.join("; ")), RESTORE);
        }
        Err(error) => report.problem("store.integrity", error.to_string(), RESTORE),
    }
}

async fn versions(report: &mut Report, inspection: &Inspection) -> bool {
    match inspection.versions().await {
        // Each is told, also after one that does not fit.
        Ok(versions) => versions.iter().filter(|version| !of_module(report, version)).count() == 0,
        Err(error) => {
            report.problem(
                "store.schema",
                format!("the database has no tables of cress: {error}"),
                "let store.url name the database that control has used, or an empty one",
            );
            false
        }
    }
}

fn of_module(report: &mut Report, ModuleVersion { module, found, known }: &ModuleVersion) -> bool {
    let told = format!("the {module} tables have version {found}, this program knows {known}");
    match found.cmp(known) {
        std::cmp::Ordering::Equal => report.ok("store.schema", told),
        std::cmp::Ordering::Less => report.warning(
            "store.schema",
            told,
            "`cress admin store migrate --apply` brings them up to date, or the next start if store.migrate_at_start lets it (as with SQLite); \
             back up the database before",
        ),
        std::cmp::Ordering::Greater => {
            report.problem("store.schema", told, "install the cress that has used it, or restore a backup from before");
        }
    }
    found == known
}
