// SPDX-License-Identifier: Apache-2.0
//! Whose tokens proxies are shown: as long as the reference platform's, and good for longer than a measurement.

use std::io::Write;
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

    /// One of its tokens.
    pub(crate) fn token(&self, number: usize) -> anyhow::Result<String> {
        let now = SystemClock::new().now().unix_seconds();
        let id = "2c3573b6-88de-4067-821f-1af088bd9c6a";
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": id, "jti": format!("87659e43-19b0-4338-b3cc-{number:012}"),
            "iat": now, "nbf": now, "exp": now + LIFE, "salad_machine_id": id, "salad_instance_id": id, "salad_workload_id": id,
            "salad_workload_name": "rxlab-demo-jwt-authentication", "salad_organization_id": id,
            "salad_organization_name": "rxlab",
        });
        Ok(self.0.sign(claims.to_string().as_bytes())?)
    }

    /// The header that shows one.
    pub(crate) fn header(&self) -> anyhow::Result<String> {
        Ok(format!("Authorization: Bearer {}", self.token(0)?))
    }

    /// So many of them in a file, one a line.
    pub(crate) fn write_tokens(&self, count: usize, file: &Path) -> anyhow::Result<()> {
        let shown = || file.display().to_string();
        let mut writer = std::io::BufWriter::new(std::fs::File::create(file).with_context(shown)?);
        for number in 0..count {
            writeln!(writer, "{}", self.token(number)?).with_context(shown)?;
        }
        writer.flush().with_context(shown)
    }
}
