// SPDX-License-Identifier: Apache-2.0
//! Why a node is no member of a fleet.

use std::path::PathBuf;

use cress_api::join_token::JoinTokenError;
use cress_domain::MachineId;
use cress_service::data_dir::DataDirError;
use cress_service::tls::TlsError;

/// Why a node did not become, or is no longer, a member of its fleet. Never holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MembershipError {
    /// A file of the data directory cannot be used.
    #[error("cannot use {}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why, in plain words.
        reason: String,
    },
    /// A file of the data directory cannot be written.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// No key can be made, or none be used.
    #[error("cannot make or use the node's key: {0}")]
    Key(String),
    /// Nothing to join with.
    #[error(
        "this node is not a member of a fleet yet: give it a join token with `join_token_file`; make one with `cress admin nodes invite`"
    )]
    NoJoinToken,
    /// A text that is no join token.
    #[error(transparent)]
    JoinToken(#[from] JoinTokenError),
    /// The join token was made by another control.
    #[error(
        "what answers at {address} does not have the certificate authority that the join token names: it is another control than the one that made the join token, or an impostor; nothing was told to it"
    )]
    FingerprintMismatch {
        /// Where.
        address: String,
    },
    /// Control is there but its certificate is for other names.
    #[error("{0}")]
    ControlName(String),
    /// Control refuses the join token.
    #[error("control refused the join token: {0}; make a new one with `cress admin nodes invite`")]
    Refused(String),
    /// Control's answer cannot be used.
    #[error("expected a certificate for this node's key from control, got something else: {0}")]
    Answer(String),
    /// A renewal that would change who the node is.
    #[error("expected a certificate for machine {expected} from control, got one for {got}")]
    OtherMachine {
        /// Who the node is.
        expected: MachineId,
        /// Whom the certificate is for.
        got: MachineId,
    },
    /// The certificate or the authorities cannot be used.
    #[error("control's certificates cannot be used: {0}")]
    Tls(#[from] TlsError),
    /// The process was asked to stop meanwhile.
    #[error("stopped before control was reached")]
    Stopped,
}
