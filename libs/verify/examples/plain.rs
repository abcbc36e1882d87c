// SPDX-License-Identifier: Apache-2.0
//! A plain function: reads tokens from standard input, one a line, and says of each whether it is good.
//!
//! ```sh
//! cress token get --imds http://127.0.0.1:8440 | JWKS_URL=http://127.0.0.1:8420/.well-known/workload-jwks.json \
//!     ISSUER=http://127.0.0.1:8420 AUDIENCE=<organization id> cargo run -p cress-verify --example plain
//! ```

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::env;
use std::io;
use std::sync::Arc;

use anyhow::Context;
use cress_verify::{
    AudienceRule, Claims, RemoteKeys, Rules, Settings, SystemClock, TrustedIssuer, Verified, Verifier, VerifyError,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let verifier = verifier()?;
    verifier.ready().await?;
    for line in io::stdin().lines() {
        match check(&verifier, line?.trim()).await {
            Ok(claims) => println!("good until {}: {}", claims.expires_at(), claims.subject().unwrap_or("nobody")),
            Err(error) => println!("{}: {error}; {}", error.code(), error.remedy()),
        }
    }
    Ok(())
}

/// What a service calls for each token. A `Verified<Claims>` comes from nowhere else, so whoever takes one need not check again.
async fn check(verifier: &Verifier, token: &str) -> Result<Arc<Verified<Claims>>, VerifyError> {
    verifier.verify(token).await
}

/// Made once, when the service starts; it keeps the keys fresh from then on.
fn verifier() -> anyhow::Result<Verifier> {
    let audience = setting("AUDIENCE")?.parse()?;
    let rules = Rules::for_workloads(setting("ISSUER")?.parse()?, AudienceRule::OneOf(vec![audience]));
    let keys = RemoteKeys::new(&setting("JWKS_URL")?)?;
    let issuers = vec![TrustedIssuer::new(rules, keys)];
    Ok(Verifier::start(issuers, &Settings::default(), Arc::new(SystemClock::new()))?)
}

fn setting(name: &str) -> anyhow::Result<String> {
    env::var(name).with_context(|| format!("{name} is not set"))
}
