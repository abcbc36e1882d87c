// SPDX-License-Identifier: Apache-2.0
//! The provider and its credentials.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use cress_domain::{AccountName, Clock, DeploymentId, Timestamp};
use cress_provider::{
    AssertionSigner, Capability, Credential, FieldValue, Finding, Footprint, Grant, Issued, Operation, Provider,
    ProviderError, Renewal, Revocation, Settings, SettingsError, SigningAlgorithm, TokenType,
};

use crate::config::CredentialConfig;
use crate::{KIND, error, wire};

/// Tokens of one of the broker's key rings.
pub(crate) struct JwtProvider {
    algorithm: SigningAlgorithm,
    signer: Arc<dyn AssertionSigner>,
    clock: Arc<dyn Clock>,
}

/// Tokens for these services.
struct JwtCredential {
    config: CredentialConfig,
    algorithm: SigningAlgorithm,
    signer: Arc<dyn AssertionSigner>,
}

impl JwtProvider {
    pub(crate) fn new(algorithm: SigningAlgorithm, signer: Arc<dyn AssertionSigner>, clock: Arc<dyn Clock>) -> Self {
        Self { algorithm, signer, clock }
    }
}

#[async_trait]
impl Provider for JwtProvider {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn capability(&self) -> Capability {
        Capability { revocation: Revocation::AtExpiry, renewal: Renewal::AskAgain, footprint: Footprint::Nothing }
    }

    fn credential(&self, settings: &Settings) -> Result<Arc<dyn Credential>, SettingsError> {
        let config = CredentialConfig::read(settings)?;
        Ok(Arc::new(JwtCredential { config, algorithm: self.algorithm, signer: Arc::clone(&self.signer) }))
    }

    async fn check(&self) -> Result<Vec<Finding>, ProviderError> {
        let claims = wire::probe(self.signer.issuer(), self.clock.now());
        let signed = self.signer.sign(self.algorithm, TokenType::Jwt, &claims);
        signed.map_err(|cause| error::unsigned(Operation::Check, cause))?;
        Ok(vec![Finding::Good(format!("tokens of {} can be signed", self.signer.issuer()))])
    }

    async fn extend(&self, _account: &AccountName, _expires_at: Timestamp) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn revoke(&self, _account: &AccountName) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn accounts(&self, _deployment: DeploymentId) -> Result<Vec<AccountName>, ProviderError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Credential for JwtCredential {
    async fn issue(&self, grant: &Grant) -> Result<Issued, ProviderError> {
        let claims = wire::claims(&self.config, self.signer.issuer(), grant)?;
        let token = self.signer.sign(self.algorithm, TokenType::AccessToken, &claims);
        let token = token.map_err(|cause| error::unsigned(Operation::Issue, cause))?;
        let mut issued = Issued::new([
            ("access_token", FieldValue::Secret(token)),
            ("token_type", FieldValue::Text("Bearer".to_owned())),
        ]);
        issued.expires_at = Some(wire::whole(grant.expires_at));
        Ok(issued)
    }

    async fn check(&self) -> Result<Vec<Finding>, ProviderError> {
        Ok(Vec::new())
    }
}

impl fmt::Debug for JwtProvider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issuer = self.signer.issuer();
        formatter.debug_struct("JwtProvider").field("issuer", &issuer).field("algorithm", &self.algorithm).finish()
    }
}

impl fmt::Debug for JwtCredential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("JwtCredential").field("config", &self.config).finish()
    }
}
