// SPDX-License-Identifier: Apache-2.0
//! Checks one token by hand, as the broker would: all but what the policies say of its claims, and whom it is for where tokens for an
//! organization are accepted.

use std::sync::Arc;

use cress_domain::Clock;
use cress_verify::http::VerifiedToken;
use cress_verify::{Settings, Verifier, VerifyError};

use crate::config::{Config, ConfigError};
use crate::start::StartError;

/// Fetches the issuers' keys and checks a token.
///
/// # Errors
/// [`StartError`] if the issuers cannot be; what is wrong with the token is the inner result.
pub async fn check_token(
    config: &Config,
    token: &str,
    clock: Arc<dyn Clock>,
) -> Result<Result<VerifiedToken, VerifyError>, StartError> {
    let trusted = config.issuers.iter().map(|(name, issuer)| issuer.trusted(name, &config.audience));
    let trusted = trusted.collect::<Result<Vec<_>, ConfigError>>()?;
    let verifier = Verifier::start(trusted, &Settings::default(), clock)?;
    // Why the keys cannot be had is part of the verdict.
    let _unavailable = verifier.ready().await;
    Ok(verifier.verify(token).await)
}
