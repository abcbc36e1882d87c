// SPDX-License-Identifier: Apache-2.0
//! The example container group, made through the admin API as an operator would.

use anyhow::Context;
use cress_api::admin::ContainerGroup;
use cress_authz::{IssuerConfig, RuleConfig};
use cress_client::AdminClient;
use cress_domain::{Audience, GroupDefinition, Name};

const ORGANIZATION: &str = "example";
const PROJECT: &str = "default";
const GROUP: &str = "hello";
/// An audience that the example may ask a token for, beside its organization.
const SERVICE: &str = "https://service.example";
/// That of tokens for the broker. A name, since its address follows from --base-port and a group's audiences do not.
pub(super) const BROKER_AUDIENCE: &str = "https://broker.example";

/// What an application does: it gets its token from its metadata service, past any proxy, and again before it ends.
const SCRIPT: &str = r#"while :; do
  if curl --silent --show-error --fail --noproxy '*' --output /dev/null --header 'Metadata: true' "$CRESS_IMDS_URL/v1/token"
  then echo "$(date -u +%FT%TZ) $SALAD_INSTANCE_ID has its token"
  fi
  sleep 150
done"#;

/// Makes what is missing of the example, and gives it this many replicas.
pub(super) async fn provide(control: &AdminClient, replicas: u32) -> anyhow::Result<ContainerGroup> {
    let (organization, project, group): (Name, Name, Name) = (ORGANIZATION.parse()?, PROJECT.parse()?, GROUP.parse()?);
    if !control.organizations().await?.iter().any(|one| one.name == organization) {
        control.create_organization(&organization).await?;
    }
    if !control.projects(&organization).await?.iter().any(|one| one.name == project) {
        control.create_project(&organization, &project).await?;
    }
    let groups = control.container_groups(&organization, &project).await?;
    match groups.into_iter().find(|one| one.name == group) {
        None => {
            let definition = definition(replicas)?;
            Ok(control.create_container_group(&organization, &project, &group, &definition).await?)
        }
        Some(existing) => renew(control, (&organization, &project, &group), existing, replicas).await,
    }
}

/// What an earlier version made may lack an audience.
async fn renew(
    control: &AdminClient,
    (organization, project, group): (&Name, &Name, &Name),
    existing: ContainerGroup,
    replicas: u32,
) -> anyhow::Result<ContainerGroup> {
    let broker: Audience = BROKER_AUDIENCE.parse()?;
    let mut definition = existing.definition.clone();
    if !definition.allowed_audiences.contains(&broker) {
        definition.allowed_audiences.push(broker);
        definition.replicas = replicas;
        return Ok(control.replace_container_group(organization, project, group, &definition).await?);
    }
    if definition.replicas != replicas {
        return Ok(control.scale_container_group(organization, project, group, replicas).await?);
    }
    Ok(existing)
}

/// What the authorization service is told: the workloads of this group pass, whichever of the audiences that they may ask for
/// their tokens are for.
pub(super) async fn access(
    admin: &AdminClient,
    control: &cress_control::Started,
    group: &ContainerGroup,
) -> anyhow::Result<(IssuerConfig, RuleConfig)> {
    let organizations = admin.organizations().await?;
    let organization = organizations.iter().find(|one| one.name.as_str() == ORGANIZATION);
    let organization = organization.context("the example's organization is gone")?;
    let audiences = vec![organization.id.into(), SERVICE.parse()?];
    let (issuer, jwks) = (control.public_url.to_string().parse()?, control.jwks_url.to_string());
    let mut rule = RuleConfig::new(GROUP);
    rule.claims = vec![format!("salad_workload_id={}", group.id)];
    Ok((IssuerConfig::new("control", issuer, &jwks, audiences), rule))
}

fn definition(replicas: u32) -> anyhow::Result<GroupDefinition> {
    let definition = serde_json::json!({
        "replicas": replicas,
        "command": ["sh", "-c", SCRIPT],
        "stop_grace_seconds": 2,
        "allowed_audiences": [SERVICE, BROKER_AUDIENCE],
    });
    serde_json::from_value(definition).context("the example's definition is not well-formed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_within_bounds() {
        assert_eq!(definition(100).unwrap().check(), Ok(()));
    }
}
