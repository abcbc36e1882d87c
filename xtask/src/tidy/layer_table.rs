// SPDX-License-Identifier: Apache-2.0
//! Who may depend on whom. ARCHITECTURE.md shows the same table to people and says why; change both together.

/// A folder, or the folder of one package, and what its packages may depend on.
pub(super) struct Layer {
    pub(super) folder: &'static str,
    pub(super) may_use: &'static [&'static str],
}

/// The layers, from the bottom to the top. The entry with the longest folder is the one that counts for a package.
pub(super) const LAYERS: &[Layer] = &[
    Layer { folder: "core/domain", may_use: &[] },
    Layer { folder: "core/jose", may_use: &["core/domain"] },
    Layer { folder: "core/token", may_use: &["core/domain", "core/jose"] },
    Layer { folder: "core/policy", may_use: &["core/domain", "core/token"] },
    Layer { folder: "contracts", may_use: &["core"] },
    Layer { folder: "libs/store", may_use: &["core"] },
    Layer { folder: "libs/keyring", may_use: &["core", "contracts", "libs/store"] },
    Layer { folder: "libs/verify", may_use: &["core"] },
    Layer { folder: "libs/client", may_use: &["core", "contracts"] },
    Layer { folder: "libs/service", may_use: &["core", "contracts"] },
    Layer { folder: "adapters", may_use: &["core", "contracts"] },
    Layer { folder: "roles", may_use: &["core", "contracts", "libs"] },
    Layer { folder: "cress", may_use: &["core", "contracts", "libs", "adapters", "roles"] },
    Layer { folder: "examples", may_use: &["core", "contracts", "libs"] },
    Layer { folder: "testkit", may_use: &["core", "contracts"] },
    Layer { folder: "tests", may_use: &["core", "contracts", "libs", "adapters", "roles", "testkit"] },
    Layer { folder: "bench", may_use: &["core", "contracts", "libs", "adapters", "roles", "testkit"] },
    Layer { folder: "xtask", may_use: &[] },
];

/// What the tests of packages in a folder may use besides: `""` is every folder. A role is tested with a real driver.
pub(super) const FOR_TESTS: &[(&str, &str)] = &[("", "testkit"), ("roles", "adapters")];

/// A package of others that only these folders may depend on, whatever their layer: what it is about is hidden there.
pub(super) struct Confined {
    pub(super) package: &'static str,
    pub(super) to: &'static [&'static str],
}

/// Databases are known to the store, and to the provider for which PostgreSQL is the system outside; the pure core knows no runtime, no network and no log.
pub(super) const CONFINED: &[Confined] = &[
    Confined { package: "sqlx", to: &["libs/store", "adapters/providers/postgresql"] },
    Confined { package: "cedar-policy", to: &["core/policy"] },
    Confined { package: "redis", to: &["adapters/providers/redis", "tests", "bench"] },
    Confined { package: "tokio", to: NOT_CORE },
    Confined { package: "hyper", to: NOT_CORE },
    Confined { package: "axum", to: NOT_CORE },
    Confined { package: "tonic", to: NOT_CORE },
    Confined { package: "reqwest", to: NOT_CORE },
    Confined { package: "tracing", to: NOT_CORE },
    Confined { package: "clap", to: &["cress", "bench", "xtask", "examples", "adapters"] },
];

const NOT_CORE: &[&str] =
    &["contracts", "libs", "adapters", "roles", "cress", "examples", "testkit", "tests", "bench", "xtask"];
