// SPDX-License-Identifier: Apache-2.0
//! Whose tokens are shown to proxies and to the broker: as long as the reference platform's, and good for longer than a measurement.

use std::io::Write;
use std::ops::Range;
use std::path::Path;

use anyhow::Context;
use cress_domain::Clock;
use cress_jose::{JwkSet, SigningKey};
use cress_service::SystemClock;
use serde_json::json;

/// Its name.
pub(crate) const ISSUER: &str = "https://issuer.example";
/// Whom the tokens are for.
pub(crate) const AUDIENCE: &str = "reports";
/// The organization of all of them.
pub(crate) const ORGANIZATION: &str = "2c3573b6-88de-4067-821f-1af088bd9c6a";
/// Of how many instances they are; a group has a hundred.
pub(crate) const INSTANCES: usize = 2_000;
const INSTANCES_OF_A_GROUP: usize = 100;
/// What they say of their workload, as a rule about claims.
pub(crate) const REQUIRED: &str = "salad_workload_name=rxlab-demo-jwt-authentication";
/// How long they live, in seconds: as long as the configurations of `cress config emit` admit.
const LIFE: i64 = 3_600;

/// An issuer with one key.
#[derive(Debug)]
pub(crate) struct Issuer(SigningKey);

impl Issuer {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self(SigningKey::generate("bench-1".parse()?)?))
    }

    /// Its key set, as it is published.
    pub(crate) fn jwks(&self) -> anyhow::Result<Vec<u8>> {
        Ok(serde_json::to_vec(&JwkSet::new(vec![self.0.public_jwk()])?)?)
    }

    /// That key, as PEM.
    pub(crate) fn public_pem(&self) -> String {
        self.0.public_jwk().to_spki_pem()
    }

    /// One of its tokens: of another instance than the next, and of none twice.
    pub(crate) fn token(&self, number: usize) -> anyhow::Result<String> {
        let now = SystemClock::new().now().unix_seconds();
        let id = |kind: u8, number: usize| format!("2c3573b6-88de-4067-82{kind:02x}-{number:012x}");
        let instance = number % INSTANCES;
        let (machine, group) = (id(1, instance), id(2, instance / INSTANCES_OF_A_GROUP));
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": machine, "jti": id(3, number), "iat": now, "nbf": now, "exp": now + LIFE,
            "salad_machine_id": machine, "salad_instance_id": id(4, instance), "salad_workload_id": group,
            "salad_workload_name": "rxlab-demo-jwt-authentication", "salad_organization_id": ORGANIZATION,
            "salad_organization_name": "rxlab",
        });
        Ok(self.0.sign(claims.to_string().as_bytes())?)
    }

    /// The header that shows one.
    pub(crate) fn header(&self) -> anyhow::Result<String> {
        Ok(format!("Authorization: Bearer {}", self.token(0)?))
    }

    /// Those of these numbers in a file, one a line.
    pub(crate) fn write_tokens(&self, numbers: Range<usize>, file: &Path) -> anyhow::Result<()> {
        let shown = || file.display().to_string();
        let mut writer = std::io::BufWriter::new(std::fs::File::create(file).with_context(shown)?);
        for number in numbers {
            writeln!(writer, "{}", self.token(number)?).with_context(shown)?;
        }
        writer.flush().with_context(shown)
    }
}
