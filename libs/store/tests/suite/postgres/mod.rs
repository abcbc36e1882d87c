// SPDX-License-Identifier: Apache-2.0
//! The suite on every version of PostgreSQL that cress is tested with, and what is PostgreSQL's own.

mod faults;
mod start;

use cress_store::{Database, DatabaseUrl};
use cress_testkit::postgres::{Postgres, Version};

use crate::support::Fresh;

/// A database of its own on the server that all tests share.
pub(crate) async fn fresh(version: Version) -> Fresh {
    let url: DatabaseUrl = Postgres::shared(version).create_database().parse().unwrap();
    Fresh { database: Database::open(&url).await.unwrap(), url, _keep: None }
}

mod version_15 {
    use super::Version;
    use crate::conformance::conformance;
    use crate::support::Fresh;

    pub(crate) async fn fresh() -> Fresh {
        super::fresh(Version::V15).await
    }

    conformance!(crate::postgres::version_15::fresh);
}

mod version_18 {
    use super::Version;
    use crate::conformance::conformance;
    use crate::support::Fresh;

    pub(crate) async fn fresh() -> Fresh {
        super::fresh(Version::V18).await
    }

    conformance!(crate::postgres::version_18::fresh);
}
