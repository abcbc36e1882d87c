// SPDX-License-Identifier: Apache-2.0
//! The broker of `cress up`, which gives the example's workloads a token of its own: a credential that needs no server.

use std::path::{Path, PathBuf};

use anyhow::Context;
use cress_api::admin::ContainerGroup;
use cress_broker::{CredentialConfig, IssuerConfig, ProviderConfig};
use cress_service::data_dir::write_atomically;
use cress_service::{Shutdown, SystemClock, SystemRandom};

use super::certificate::BrokerCertificate;
use super::layout::Layout;
use crate::broker;

/// What is given out: an access token that the broker signs, for any service that trusts its key set.
pub(super) const CREDENTIAL: &str = "example";
const PROVIDER: &str = "tokens";
/// Whom that is for.
const SERVICE: &str = "https://reports.example";
const POLICIES: &str = "example.cedar";

/// A running broker, and where its authority is.
#[derive(Debug)]
pub(super) struct Broker {
    pub(super) started: cress_broker::Started,
    pub(super) ca_file: String,
    pub(super) shutdown: Shutdown,
}

impl Broker {
    pub(super) async fn start(
        layout: &Layout,
        control: &cress_control::Started,
        group: &ContainerGroup,
        shutdown: Shutdown,
    ) -> anyhow::Result<Self> {
        let (clock, random) = (SystemClock::new(), SystemRandom);
        let files = layout.broker_files();
        std::fs::create_dir_all(&files).with_context(|| format!("cannot make {}", files.display()))?;
        let certificate = BrokerCertificate::ensure(&files, layout.address(), &clock, &random)?;
        let mut config = layout.broker()?;
        config.tls = Some(certificate.files.clone());
        config.issuers = [("control".to_owned(), issuer(control)?)].into();
        let table = |text: &str| text.parse::<toml::Table>().context("the example's settings are not well-formed");
        let provider = ProviderConfig { kind: "jwt".to_owned(), settings: toml::Table::new() };
        config.providers = [(PROVIDER.parse()?, provider)].into();
        let mut credential = CredentialConfig::new(PROVIDER.parse()?);
        credential.settings = table(&format!("audience = \"{SERVICE}\""))?;
        config.credentials = [(CREDENTIAL.parse()?, credential)].into();
        config.policies.files = vec![policies(&files, group)?];
        let ports = broker::ports(shutdown.clone(), None);
        let started = cress_broker::start(config, ports).await?;
        Ok(Self { started, ca_file: certificate.ca_file.display().to_string(), shutdown })
    }
}

fn issuer(control: &cress_control::Started) -> anyhow::Result<IssuerConfig> {
    Ok(IssuerConfig {
        preset: Some("cress".parse()?),
        issuer: Some(control.issuer.clone()),
        jwks_url: Some(control.jwks_url.clone()),
        ..IssuerConfig::default()
    })
}

/// The workloads of the example's container group, by its id, get the example.
fn policies(directory: &Path, group: &ContainerGroup) -> anyhow::Result<PathBuf> {
    let file = directory.join(POLICIES);
    let text = format!(
        "// Made anew at each start of `cress up`.\n@id(\"example\")\npermit (principal, action == Cress::Action::\"issue\", resource == \
         Cress::Credential::\"{CREDENTIAL}\")\nwhen {{ principal has group_id && principal.group_id == \"{}\" }};\n",
        group.id
    );
    write_atomically(&file, text.as_bytes())?;
    Ok(file)
}
