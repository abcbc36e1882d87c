// SPDX-License-Identifier: Apache-2.0
//! Container groups.

use cress_domain::ContainerGroupId;
use cress_store::StoreErrorKind::{Conflict, NotFound};
use cress_store::control::RunningInstances::{End, Keep};

use crate::support::{Fleet, Fresh, at, definition, kind};

pub(crate) async fn are_found_by_name_with_all_that_tokens_say(fresh: &Fresh) {
    let fleet = Fleet::open(&fresh.database).await;
    let group = fleet.new_group("workers");
    fleet.store.create_container_group(&group).await.unwrap();
    fleet.group("batch").await;
    assert_eq!(kind(fleet.store.create_container_group(&fleet.new_group("workers")).await), Conflict);

    let found = fleet.store.container_group_by_name(fleet.project, &group.name).await.unwrap();
    assert_eq!((found.id, &found.name, &found.definition), (group.id, &group.name, &group.definition));
    assert_eq!((found.project_id, found.project_name.as_str()), (fleet.project, "demo"));
    assert_eq!((found.organization_id, found.organization_name.as_str()), (fleet.organization, "rxlab"));
    let all = fleet.store.container_groups(fleet.project).await.unwrap();
    assert_eq!(all.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["batch", "workers"]);
}

pub(crate) async fn definitions_are_replaced(fresh: &Fresh) {
    let fleet = Fleet::open(&fresh.database).await;
    let (group, machine) = (fleet.group("workers").await, fleet.node(1).await);
    let instances = fleet.place(group, machine, 2).await;
    let replicas = async || fleet.store.container_groups(fleet.project).await.unwrap()[0].definition.replicas;

    let before = fleet.store.revision().await.unwrap();
    fleet.store.replace_definition(group, &definition(5), |_, _| Keep, at(2)).await.unwrap();
    let changes = fleet.changes_since(before).await;
    assert_eq!((changes.groups.len(), changes.instances_ended.len(), replicas().await), (1, 0, 5));

    let before = fleet.store.scale(group, 7).await.unwrap();
    assert_eq!(replicas().await, 7);
    let (revision, told) = fleet
        .store
        .replace_definition(
            group,
            &definition(3),
            |old, new| {
                assert_eq!((old.replicas, new.replicas), (7, 3), "the definition of now is asked about");
                End
            },
            at(3),
        )
        .await
        .unwrap();
    assert_eq!(told, End);
    let changes = fleet.changes_since(before).await;
    let mut ended: Vec<_> = changes.instances_ended.iter().map(|ended| ended.id).collect();
    ended.sort_by_key(|id| instances.iter().position(|instance| instance == id));
    assert_eq!((ended, changes.revision), (instances, revision));
    assert!(changes.instances_ended.iter().all(|ended| ended.machine_id == machine && ended.ended_at == at(3)));

    let nobody = ContainerGroupId::from_bytes([9; 16]);
    assert_eq!(kind(fleet.store.scale(nobody, 1).await), NotFound);
    assert_eq!(kind(fleet.store.replace_definition(nobody, &definition(1), |_, _| End, at(4)).await), NotFound);
    assert_eq!(fleet.store.revision().await.unwrap(), revision, "what fails takes no revision");
}

pub(crate) async fn deletion_ends_instances(fresh: &Fresh) {
    let fleet = Fleet::open(&fresh.database).await;
    let (doomed, other, machine) = (fleet.group("doomed").await, fleet.group("other").await, fleet.node(1).await);
    fleet.place(doomed, machine, 3).await;
    let kept = fleet.place(other, machine, 1).await;
    let before = fleet.store.revision().await.unwrap();
    fleet.store.delete_container_group(doomed, at(5)).await.unwrap();
    let changes = fleet.changes_since(before).await;
    assert_eq!((changes.groups_deleted, changes.instances_ended.len()), (vec![doomed], 3));
    let left: Vec<_> = fleet.store.snapshot().await.unwrap().instances.iter().map(|instance| instance.id).collect();
    assert_eq!(left, kept);
    fleet.group("doomed").await;
}
