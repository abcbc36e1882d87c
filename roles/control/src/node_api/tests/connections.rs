// SPDX-License-Identifier: Apache-2.0
//! Whose connections are kept, and what is read of whom.

use std::convert::Infallible;
use std::time::Duration;

use cress_domain::{Clock, MachineId};
use cress_service::tls::Identity;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tonic::Code;
use tonic::body::Body;
use tower_service::Service;

use super::super::limits::CONNECTIONS_PER_KEY_MAX;
use super::world::{DEADLINE, Node, World, eventually, node_key};

/// Calls with a body that never comes to its end: the code of the answer, which can depend on nothing of it.
async fn call_without_end(world: &World, node: &Node) -> Code {
    let mut channel = world.channel(&node.identity).await.unwrap();
    let never = axum::body::Body::from_stream(tokio_stream::pending::<Result<bytes::Bytes, Infallible>>());
    let request = http::Request::post("https://localhost/cress.node.v1.Fleet/IssueTokens")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::new(never))
        .unwrap();
    std::future::poll_fn(|context| channel.poll_ready(context)).await.unwrap();
    let answer = tokio::time::timeout(DEADLINE, channel.call(request)).await.expect("an answer to the head alone");
    let code = answer.unwrap().headers().get("grpc-status").unwrap().to_str().unwrap().parse::<i32>().unwrap();
    Code::from(code)
}

#[tokio::test]
async fn nothing_is_read_of_who_is_not_admitted() {
    let world = World::new().await;
    let nobody = Node { key: node_key(), identity: Identity::none(), machine: MachineId::from_bytes([0; 16]) };
    assert_eq!(call_without_end(&world, &nobody).await, Code::Unauthenticated);
    let (banned, removed) = (world.node().await, world.node().await);
    world.store.ban_node(banned.machine, world.clock.now()).await.unwrap();
    world.store.remove_node(removed.machine, world.clock.now()).await.unwrap();
    let _ = world.waker.refreshed().await;
    assert_eq!(call_without_end(&world, &banned).await, Code::PermissionDenied);
    assert_eq!(call_without_end(&world, &removed).await, Code::PermissionDenied);
}

/// Reads to the end; the greeting of HTTP/2 may come before.
async fn ends(mut connection: TlsStream<TcpStream>) {
    let end = async { while connection.read(&mut [0]).await.unwrap_or(0) > 0 {} };
    tokio::time::timeout(DEADLINE, end).await.expect("the end of the connection");
}

#[tokio::test]
async fn a_node_has_few_connections() {
    let world = World::new().await;
    let (node, neighbour) = (world.node().await, world.node().await);
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS_PER_KEY_MAX {
        connections.push(world.silent(&node).await);
    }
    ends(world.silent(&node).await).await;
    assert!(world.issue(&neighbour, &[]).await.is_ok());
    connections.clear();
    eventually("a place is free", async || {
        world.channel(&node.identity).await.is_ok() && world.issue(&node, &[]).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn connections_end_with_membership_and_certificate() {
    let world = World::new().await;
    let (banned, removed, member) = (world.node().await, world.node().await, world.node().await);
    let _ = world.waker.refreshed().await;
    let ending = [world.silent(&banned).await, world.silent(&removed).await];
    let kept = ends(world.silent(&member).await);
    tokio::pin!(kept);
    world.store.ban_node(banned.machine, world.clock.now()).await.unwrap();
    world.store.remove_node(removed.machine, world.clock.now()).await.unwrap();
    world.waker.wake();
    let ending = async {
        for connection in ending {
            ends(connection).await;
        }
    };
    tokio::select! {
        () = &mut kept => panic!("a member's connection was cut"),
        () = ending => {}
    }
    world.clock.advance(Duration::from_secs(24 * 3_600 + 1));
    kept.await;
}

/// Otherwise a node that calls in a loop after its removal would have the store asked each time.
#[tokio::test]
async fn the_store_is_asked_once_about_a_removed_node() {
    let world = World::new().await;
    let node = world.node().await;
    world.store.remove_node(node.machine, world.clock.now()).await.unwrap();
    let _ = world.waker.refreshed().await;
    assert_eq!(world.issue(&node, &[]).await.unwrap_err().code(), Code::PermissionDenied);
    world.database.close().await;
    assert_eq!(world.issue(&node, &[]).await.unwrap_err().code(), Code::PermissionDenied);
}
