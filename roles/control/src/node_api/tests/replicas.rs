// SPDX-License-Identifier: Apache-2.0
use tonic::Code;

use super::world::World;

const GROUP: &str = r#"{"replicas":1,"command":["a"]}"#;

#[tokio::test]
async fn two_replicas_on_one_store_are_one_control() {
    let one = World::new().await;
    let other = one.replica().await;
    assert_eq!(one.ca.fingerprint().unwrap(), other.ca.fingerprint().unwrap());

    // Enrolled with the one, at once known to the other.
    let node = one.node().await;
    let mut stream = other.stream(&node).await.unwrap();
    assert!(stream.begin().await.is_empty());

    let group = one.group(GROUP).await;
    let instance = one.place(&node, group).await;
    assert_eq!(stream.change().await, (vec![instance.to_string()], vec![]));
    assert!(other.issue(&node, &[(instance.to_string(), "")]).await.unwrap()[0].is_ok());

    use cress_domain::Clock;
    one.store.ban_node(node.machine, one.clock.now()).await.unwrap();
    assert_eq!(stream.end().await.code(), Code::PermissionDenied);
    assert!(other.issue(&node, &[]).await.is_err());
}

#[tokio::test]
async fn replicas_that_start_at_once_make_one_authority() {
    let world = World::new().await;
    let replicas = tokio::join!(world.replica(), world.replica(), world.replica());
    for replica in [&replicas.0, &replicas.1, &replicas.2] {
        assert_eq!(replica.ca.fingerprint().unwrap(), world.ca.fingerprint().unwrap());
    }
    assert_eq!(world.store.certificate_authorities().await.unwrap().len(), 1);
}
