// SPDX-License-Identifier: Apache-2.0
//! The broker of `cress up`, which gives the example's workloads a token of its own: a credential that needs no server.

use std::path::{Path, PathBuf};

use anyhow::Context;
use cress_api::admin::ContainerGroup;
use cress_broker::{CredentialConfig, IssuerConfig, ProviderConfig};
use cress_keyring::{KeyEncryptionKeySource, generate_file};
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
        make_directory(&files).with_context(|| format!("cannot make {}", files.display()))?;
        let certificate = BrokerCertificate::ensure(&files, layout.address(), &clock, &random)?;
        let mut config = layout.broker()?;
        config.tls = Some(certificate.files.clone());
        config.key_encryption.keys = vec![key_encryption_key(layout, &config.data_dir)?];
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
        let ca_file =
            std::path::absolute(&certificate.ca_file).context("cannot tell where the certificate's authority lies")?;
        Ok(Self { started, ca_file: ca_file.display().to_string(), shutdown })
    }
}

/// Its owner's alone, as all of the data directory.
fn make_directory(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Beside the directory that everything is kept in, as control's, so that a copy of that directory opens nothing. A new one is made only
/// for a new broker: for an old one it would open nothing.
fn key_encryption_key(layout: &Layout, data_dir: &Path) -> anyhow::Result<KeyEncryptionKeySource> {
    let path = layout.broker_key_file()?;
    if !path.exists() {
        anyhow::ensure!(
            !data_dir.exists(),
            "the broker's key-encryption key {} is missing, without which its secrets cannot be read; put it back, or remove {}",
            path.display(),
            data_dir.display()
        );
        generate_file(&path)?;
    }
    Ok(KeyEncryptionKeySource::File(path))
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
