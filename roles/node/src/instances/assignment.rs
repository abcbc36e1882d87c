// SPDX-License-Identifier: Apache-2.0
//! What control placed on this node, parsed once, and what follows from it for an instance.

use std::collections::BTreeMap;
use std::time::Duration;

use cress_api::node_protocol;
use cress_domain::{
    ContainerGroupId, GroupDefinition, GroupDefinitionError, IdError, InstanceId, MachineId, Name, NameError,
    OrganizationId, ProjectId,
};
use cress_driver::Launch;

use crate::tokens::InstanceIdentity;

/// The variable that tells an instance the base URL of its metadata service, where that is not at the usual address too.
const IMDS_URL: &str = "CRESS_IMDS_URL";

/// One instance that this node is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) instance_id: InstanceId,
    pub(crate) container_group_id: ContainerGroupId,
    pub(crate) container_group_name: Name,
    pub(crate) project_id: ProjectId,
    pub(crate) project_name: Name,
    pub(crate) organization_id: OrganizationId,
    pub(crate) organization_name: Name,
    pub(crate) definition: GroupDefinition,
    pub(crate) deletion_cost: i32,
}

/// An assignment that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AssignmentError {
    #[error(transparent)]
    Id(#[from] IdError),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("expected a container group's definition, got something else: {0}; is control newer than this node?")]
    Definition(#[from] serde_json::Error),
    #[error(transparent)]
    Bounds(#[from] GroupDefinitionError),
}

impl TryFrom<node_protocol::Assignment> for Assignment {
    type Error = AssignmentError;

    fn try_from(assignment: node_protocol::Assignment) -> Result<Self, AssignmentError> {
        let definition: GroupDefinition = serde_json::from_str(&assignment.definition)?;
        definition.check()?;
        Ok(Self {
            instance_id: assignment.instance_id.parse()?,
            container_group_id: assignment.container_group_id.parse()?,
            container_group_name: assignment.container_group_name.try_into()?,
            project_id: assignment.project_id.parse()?,
            project_name: assignment.project_name.try_into()?,
            organization_id: assignment.organization_id.parse()?,
            organization_name: assignment.organization_name.try_into()?,
            definition,
            deletion_cost: assignment.deletion_cost,
        })
    }
}

impl Assignment {
    /// What the instance's tokens must say.
    pub(super) fn identity(&self, machine_id: MachineId) -> InstanceIdentity {
        InstanceIdentity {
            machine_id,
            instance_id: self.instance_id,
            container_group_id: self.container_group_id,
            container_group_name: self.container_group_name.clone(),
            organization_id: self.organization_id,
            organization_name: self.organization_name.clone(),
        }
    }

    /// Time between SIGTERM and SIGKILL.
    pub(super) fn stop_grace(&self) -> Duration {
        Duration::from_secs(self.definition.stop_grace_seconds.into())
    }

    /// What the driver starts.
    pub(super) fn launch(&self, machine_id: MachineId, imds: &str) -> Launch {
        Launch::new(self.definition.command.clone(), self.environment(machine_id, imds), self.stop_grace())
    }

    /// The platform's variables, which the definition cannot replace, but for the host name.
    fn environment(&self, machine_id: MachineId, imds: &str) -> BTreeMap<String, String> {
        let mut environment = BTreeMap::from([("HOSTNAME".to_owned(), self.instance_id.to_string())]);
        environment.extend(self.definition.environment.clone());
        let platform = [
            ("SALAD_ORGANIZATION_NAME", self.organization_name.to_string()),
            ("SALAD_ORGANIZATION_ID", self.organization_id.to_string()),
            ("SALAD_PROJECT_NAME", self.project_name.to_string()),
            ("SALAD_PROJECT_ID", self.project_id.to_string()),
            ("SALAD_CONTAINER_GROUP_NAME", self.container_group_name.to_string()),
            ("SALAD_CONTAINER_GROUP_ID", self.container_group_id.to_string()),
            ("SALAD_INSTANCE_ID", self.instance_id.to_string()),
            ("SALAD_MACHINE_ID", machine_id.to_string()),
            (IMDS_URL, imds.to_owned()),
        ];
        environment.extend(platform.map(|(name, value)| (name.to_owned(), value)));
        environment
    }
}

#[cfg(test)]
pub(super) fn example() -> node_protocol::Assignment {
    node_protocol::Assignment {
        instance_id: "f3a1c0de-0000-4000-8000-000000000001".to_owned(),
        container_group_id: "215f0bf7-c4c2-4457-85c5-71cd0819def7".to_owned(),
        container_group_name: "worker".to_owned(),
        project_id: "f3a1c0de-0000-4000-8000-000000000002".to_owned(),
        project_name: "demo".to_owned(),
        organization_id: "2c3573b6-88de-4067-821f-1af088bd9c6a".to_owned(),
        organization_name: "rxlab".to_owned(),
        definition:
            r#"{"replicas":1,"command":["sleep","9"],"environment":{"HOSTNAME":"h","A":"b"},"stop_grace_seconds":3}"#
                .to_owned(),
        deletion_cost: 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_told_who_and_where_it_is() {
        let assignment = Assignment::try_from(example()).unwrap();
        let machine: MachineId = "d2d83275-b10a-c957-8f1c-89666a05dc79".parse().unwrap();
        let launch = assignment.launch(machine, "http://127.0.0.1:8440");
        let environment: Vec<_> =
            launch.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            environment,
            [
                ("A", "b"),
                ("CRESS_IMDS_URL", "http://127.0.0.1:8440"),
                ("HOSTNAME", "h"),
                ("SALAD_CONTAINER_GROUP_ID", "215f0bf7-c4c2-4457-85c5-71cd0819def7"),
                ("SALAD_CONTAINER_GROUP_NAME", "worker"),
                ("SALAD_INSTANCE_ID", "f3a1c0de-0000-4000-8000-000000000001"),
                ("SALAD_MACHINE_ID", "d2d83275-b10a-c957-8f1c-89666a05dc79"),
                ("SALAD_ORGANIZATION_ID", "2c3573b6-88de-4067-821f-1af088bd9c6a"),
                ("SALAD_ORGANIZATION_NAME", "rxlab"),
                ("SALAD_PROJECT_ID", "f3a1c0de-0000-4000-8000-000000000002"),
                ("SALAD_PROJECT_NAME", "demo"),
            ]
        );
        assert_eq!((launch.stop_grace, launch.command[0].as_str()), (Duration::from_secs(3), "sleep"));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let changes: [fn(&mut node_protocol::Assignment); 6] = [
            |assignment| assignment.instance_id = "x".to_owned(),
            |assignment| assignment.organization_id = String::new(),
            |assignment| assignment.container_group_name = "Not A Name".to_owned(),
            |assignment| assignment.definition = "{".to_owned(),
            |assignment| assignment.definition = r#"{"replicas":1,"command":["a"],"from_the_future":1}"#.to_owned(),
            |assignment| assignment.definition = r#"{"replicas":1,"command":[]}"#.to_owned(),
        ];
        for change in changes {
            let mut assignment = example();
            change(&mut assignment);
            assert!(Assignment::try_from(assignment).is_err());
        }
    }
}
