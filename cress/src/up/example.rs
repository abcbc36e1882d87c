// SPDX-License-Identifier: Apache-2.0
//! The example container group, made through the admin API as an operator would.

use anyhow::Context;
use cress_api::admin::ContainerGroup;
use cress_client::AdminClient;
use cress_domain::{GroupDefinition, Name};

const ORGANIZATION: &str = "example";
const PROJECT: &str = "default";
const GROUP: &str = "hello";

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
        Some(existing) if existing.definition.replicas != replicas => {
            Ok(control.scale_container_group(&organization, &project, &group, replicas).await?)
        }
        Some(existing) => Ok(existing),
    }
}

fn definition(replicas: u32) -> anyhow::Result<GroupDefinition> {
    let definition = serde_json::json!({
        "replicas": replicas,
        "command": ["sh", "-c", SCRIPT],
        "stop_grace_seconds": 2,
        "allowed_audiences": ["https://service.example"],
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
