// SPDX-License-Identifier: Apache-2.0
//! A node's open stream, as the node sees it.

use cress_api::node_protocol::control_update::Update;
use cress_api::node_protocol::{ControlUpdate, NodeReport};
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

use super::world::{DEADLINE, ISSUER};

/// A node's open stream.
pub(super) struct Stream {
    pub(super) up: mpsc::Sender<NodeReport>,
    pub(super) down: Streaming<ControlUpdate>,
}

impl Stream {
    /// The next thing told, heartbeats aside.
    pub(super) async fn next(&mut self) -> Result<Update, Status> {
        loop {
            match self.any().await? {
                Update::Heartbeat(_) => {}
                update => return Ok(update),
            }
        }
    }

    /// The next thing told.
    pub(super) async fn any(&mut self) -> Result<Update, Status> {
        let message = tokio::time::timeout(DEADLINE, self.down.message()).await.expect("an update in time")?;
        Ok(message.ok_or_else(|| Status::ok("the end"))?.update.unwrap())
    }

    /// Reads until the stream ends, and returns how.
    pub(super) async fn end(&mut self) -> Status {
        loop {
            if let Err(status) = self.any().await {
                return status;
            }
        }
    }

    /// Reads the authorities, the key set and the snapshot that every stream begins with: the ids in the snapshot.
    pub(super) async fn begin(&mut self) -> Vec<String> {
        let Ok(Update::Authorities(_)) = self.any().await else { panic!("expected the authorities first") };
        let Ok(Update::KeySet(keys)) = self.any().await else { panic!("expected the key set second") };
        assert_eq!(keys.issuer, ISSUER);
        assert!(cress_jose::JwkSet::parse(&keys.jwks).unwrap().keys().len() >= 2);
        let Ok(Update::Snapshot(snapshot)) = self.any().await else { panic!("expected the snapshot third") };
        snapshot.assignments.into_iter().map(|assignment| assignment.instance_id).collect()
    }

    /// The next change: ids placed, ids ended.
    pub(super) async fn change(&mut self) -> (Vec<String>, Vec<String>) {
        let Ok(Update::Change(change)) = self.next().await else { panic!("expected a change") };
        (change.placed.into_iter().map(|assignment| assignment.instance_id).collect(), change.ended)
    }
}
