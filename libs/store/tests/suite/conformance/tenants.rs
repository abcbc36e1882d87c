// SPDX-License-Identifier: Apache-2.0
//! Organizations and projects.

use cress_domain::{OrganizationId, ProjectId};
use cress_store::StoreErrorKind::{Conflict, InUse, NotFound};
use cress_store::control::{ControlStore, OrganizationRecord, ProjectRecord};

use crate::support::{Fleet, Fresh, at, kind};

fn organization(id: u8, name: &str) -> OrganizationRecord {
    OrganizationRecord { id: OrganizationId::from_bytes([id; 16]), name: name.parse().unwrap() }
}

fn project(id: u8, organization: u8, name: &str) -> ProjectRecord {
    ProjectRecord {
        id: ProjectId::from_bytes([id; 16]),
        organization_id: OrganizationId::from_bytes([organization; 16]),
        name: name.parse().unwrap(),
    }
}

pub(crate) async fn names_are_unique_within_their_parent(fresh: &Fresh) {
    let store = ControlStore::open(&fresh.database).await.unwrap();
    for (id, name) in [(1, "rxlab"), (2, "acme")] {
        store.create_organization(&organization(id, name)).await.unwrap();
    }
    let taken = store.create_organization(&organization(3, "acme")).await.unwrap_err();
    assert_eq!((taken.kind(), taken.to_string()), (Conflict, "the organization named acme already exists".into()));
    assert_eq!(kind(store.create_organization(&organization(2, "other")).await), Conflict, "the id is taken");
    assert_eq!(store.organizations().await.unwrap(), [organization(2, "acme"), organization(1, "rxlab")]);

    store.create_project(&project(1, 1, "demo")).await.unwrap();
    store.create_project(&project(2, 2, "demo")).await.unwrap();
    assert_eq!(kind(store.create_project(&project(3, 2, "demo")).await), Conflict);
    let acme = OrganizationId::from_bytes([2; 16]);
    assert_eq!(store.projects(acme).await.unwrap(), [project(2, 2, "demo")]);
    assert_eq!(store.project_by_name(acme, &"demo".parse().unwrap()).await.unwrap(), project(2, 2, "demo"));
    assert_eq!(store.organization_by_name(&"acme".parse().unwrap()).await.unwrap().id, acme);
}

pub(crate) async fn parents_must_exist(fresh: &Fresh) {
    let fleet = Fleet::open(&fresh.database).await;
    let store = &fleet.store;
    assert_eq!(kind(store.create_project(&project(1, 9, "demo")).await), NotFound);
    let mut group = fleet.new_group("workers");
    group.project_id = ProjectId::from_bytes([9; 16]);
    assert_eq!(kind(store.create_container_group(&group).await), NotFound);
    let nobody = "nobody".parse().unwrap();
    assert_eq!(kind(store.organization_by_name(&nobody).await), NotFound);
    assert_eq!(kind(store.project_by_name(fleet.organization, &nobody).await), NotFound);
    assert_eq!(kind(store.container_group_by_name(fleet.project, &nobody).await), NotFound);
}

pub(crate) async fn children_keep_their_parents(fresh: &Fresh) {
    let fleet = Fleet::open(&fresh.database).await;
    let group = fleet.group("workers").await;
    let store = &fleet.store;
    let refused = store.delete_organization(fleet.organization).await.unwrap_err();
    assert_eq!(refused.kind(), InUse);
    assert!(refused.to_string().ends_with("still has projects; delete these first"), "{refused}");
    assert_eq!(kind(store.delete_project(fleet.project).await), InUse);

    store.delete_container_group(group, at(0)).await.unwrap();
    store.delete_project(fleet.project).await.unwrap();
    store.delete_organization(fleet.organization).await.unwrap();
    assert_eq!(kind(store.delete_organization(fleet.organization).await), NotFound);
    assert_eq!(kind(store.delete_project(fleet.project).await), NotFound);
    assert_eq!(kind(store.delete_container_group(group, at(0)).await), NotFound);
}
