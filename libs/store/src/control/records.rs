// SPDX-License-Identifier: Apache-2.0
//! What control keeps, as the store hands it out.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use cress_domain::{
    ContainerGroupId, GroupDefinition, Hex, InstanceId, JoinTokenId, MachineId, Name, OrganizationId, ProjectId,
    Random, Timestamp, parse_hex,
};

use crate::{CertificateFingerprint, KeyFingerprint, Sealed, SecretHash};

/// Counts the changes that nodes or control's replicas must learn of. Each such write takes the next revision and stamps what
/// it changed; whoever knows everything up to a revision needs only what is stamped later. An empty store has revision 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub(super) i64);

impl Revision {
    /// As a number, for metrics and logs.
    #[must_use]
    pub const fn number(self) -> i64 {
        self.0
    }

    /// The one with this number.
    #[must_use]
    pub const fn from_number(number: i64) -> Self {
        Self(number)
    }

    /// The revision that was the latest when this one was taken.
    pub(super) const fn previous(self) -> Self {
        Self(self.0 - 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Names this deployment in outside systems. Made once for each store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeploymentId(pub(super) [u8; 16]);

impl DeploymentId {
    /// Makes a fresh id.
    pub fn generate(random: &dyn Random) -> Self {
        let mut bytes = [0; 16];
        random.fill(&mut bytes);
        Self(bytes)
    }
}

/// 32 lower-case hexadecimal digits.
impl fmt::Display for DeploymentId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// An organization. Its name is unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationRecord {
    /// Its id.
    pub id: OrganizationId,
    /// Its name.
    pub name: Name,
}

/// A project. Its name is unique in its organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectRecord {
    /// Its id.
    pub id: ProjectId,
    /// The organization that it belongs to.
    pub organization_id: OrganizationId,
    /// Its name.
    pub name: Name,
}

/// A container group to be created. Its name is unique in its project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewContainerGroup {
    /// Its id.
    pub id: ContainerGroupId,
    /// The project that it belongs to.
    pub project_id: ProjectId,
    /// Its name.
    pub name: Name,
    /// What it runs; already checked.
    pub definition: GroupDefinition,
}

/// A container group with the names of everything above it: all that its instances' tokens and environments say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRecord {
    /// Its id.
    pub id: ContainerGroupId,
    /// Its name.
    pub name: Name,
    /// The project that it belongs to.
    pub project_id: ProjectId,
    /// That project's name.
    pub project_name: Name,
    /// The organization that it belongs to.
    pub organization_id: OrganizationId,
    /// That organization's name.
    pub organization_name: Name,
    /// What it runs.
    pub definition: GroupDefinition,
}

/// What happens to a container group's instances when its definition is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunningInstances {
    /// They stay and take on the new definition in place: nothing that they run has changed.
    Keep,
    /// They end in the same transaction; placement makes new ones.
    End,
}

/// Whether a node may work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeState {
    /// It may.
    Active,
    /// It may not, and never again with this key.
    Banned,
}

/// A node of the fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRecord {
    /// Its id.
    pub machine_id: MachineId,
    /// Its name, for people.
    pub name: String,
    /// The key that its certificates are for; no two nodes have the same.
    pub key_fingerprint: KeyFingerprint,
    /// How many instances it is ready to run; never above `capacity_max`.
    pub capacity: u32,
    /// The cap that its join token set.
    pub capacity_max: Option<u32>,
    /// The organizations whose instances it may run, as its join token said; none: everyone's.
    pub organizations: Option<BTreeSet<OrganizationId>>,
    /// Whether it may work.
    pub state: NodeState,
    /// When it first joined.
    pub enrolled_at: Timestamp,
    /// The agent that connected last.
    pub boot_id: Option<BootId>,
    /// The agent that had connected before that one.
    pub boot_id_before: Option<BootId>,
    /// When it was last noticed that two agents run with its key.
    pub duplicated_at: Option<Timestamp>,
    /// When its latest certificate ends. A renewal is not told by the feed, so that a follower's may be an earlier one's.
    pub certificate_not_after: Timestamp,
}

/// Made at random by an agent when it starts: tells it from another one with the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BootId([u8; 16]);

impl BootId {
    /// From the bytes that the agent made.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

/// 32 lower-case hexadecimal digits.
impl fmt::Display for BootId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(formatter)
    }
}

impl FromStr for BootId {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_hex(text).map(Self).ok_or("expected 32 hexadecimal digits")
    }
}

/// What the agent that connected says of those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootNews {
    /// It is the one that connected last.
    Same,
    /// It is another one: the agent was started again, or a second one has come.
    Another,
    /// It had been followed by another one, and is back: two agents run with one key.
    Returned,
}

/// What became of the wish to note a node's fresh certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateRenewal {
    /// It is noted: hand it out.
    Recorded,
    /// The node was banned in the meantime: hand out nothing.
    Banned,
}

/// A join token to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJoinToken {
    /// Its id.
    pub id: JoinTokenId,
    /// The hash of its secret.
    pub secret_hash: SecretHash,
    /// From when it enrols no node any more.
    pub expires_at: Timestamp,
    /// The most instances that the node may announce.
    pub capacity_max: Option<u32>,
    /// The organizations whose instances the node may run; none: everyone's.
    pub organizations: Option<BTreeSet<OrganizationId>>,
}

/// A join token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinTokenRecord {
    /// Its id.
    pub id: JoinTokenId,
    /// From when it enrols no node any more.
    pub expires_at: Timestamp,
    /// The most instances that the node may announce.
    pub capacity_max: Option<u32>,
    /// The organizations whose instances the node may run; none: everyone's.
    pub organizations: Option<BTreeSet<OrganizationId>>,
    /// What became of it. An open one may have expired: compare `expires_at`.
    pub state: JoinTokenState,
    /// Who used it, if it was used; known of a revoked one too.
    pub used_by: Option<JoinTokenUse>,
}

/// Who used a join token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinTokenUse {
    /// The node that it enrolled.
    pub machine_id: MachineId,
    /// The key that the node showed.
    pub key_fingerprint: KeyFingerprint,
}

/// What became of a join token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinTokenState {
    /// It was neither used nor revoked.
    Open,
    /// It enrolled a node.
    Used,
    /// It was revoked, before or after its use.
    Revoked,
}

/// A node's wish to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRequest {
    /// The hash of the join token's secret.
    pub secret_hash: SecretHash,
    /// The key whose possession the node has proved.
    pub key_fingerprint: KeyFingerprint,
    /// The id that the node gets if its key is new; a fresh one.
    pub new_machine_id: MachineId,
    /// Its name, for people: 1 to 255 bytes.
    pub name: String,
    /// How many instances it announces.
    pub capacity: u32,
    /// When the certificate that it is about to get ends.
    pub certificate_not_after: Timestamp,
}

/// What became of a node's wish to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JoinOutcome {
    /// It is a member, newly or still: sign a certificate for this machine id. A key that is known keeps its machine id,
    /// with the same token (the answer got lost) or with another (its certificate had run out).
    Joined(NodeRecord),
    /// It is not.
    Refused(JoinRefusal),
}

/// Why a node may not join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JoinRefusal {
    /// No join token has this secret.
    Unknown,
    /// The join token has expired.
    Expired,
    /// The join token was revoked.
    Revoked,
    /// The join token was used, by another key or by a node that was removed since.
    Used,
    /// The key belongs to a banned node.
    Banned,
}

/// One live instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstanceRecord {
    /// Its id.
    pub id: InstanceId,
    /// The container group that it is a replica of.
    pub container_group_id: ContainerGroupId,
    /// The node that it is placed on.
    pub machine_id: MachineId,
    /// Lower goes first when replicas are scaled down.
    pub deletion_cost: i32,
    /// When it was placed.
    pub placed_at: Timestamp,
}

/// An instance that has ended: its tombstone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedInstance {
    /// Its id.
    pub id: InstanceId,
    /// The node that it was placed on.
    pub machine_id: MachineId,
    /// When it ended.
    pub ended_at: Timestamp,
}

/// Instances to be placed and ended, all at once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlacementPlan {
    /// Instances to place.
    pub place: Vec<NewInstance>,
    /// Instances to end.
    pub end: Vec<InstanceId>,
}

/// An instance to be placed; its deletion cost is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewInstance {
    /// Its id, a fresh one.
    pub id: InstanceId,
    /// The container group that it is a replica of.
    pub container_group_id: ContainerGroupId,
    /// The node to place it on.
    pub machine_id: MachineId,
}

/// A certificate authority of the node API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateAuthorityRecord {
    /// SHA-256 of its certificate.
    pub fingerprint: CertificateFingerprint,
    /// Its certificate, DER.
    pub certificate_der: Vec<u8>,
    /// Its private key, under envelope encryption.
    pub private_key: Sealed,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when it signs.
    pub signs_from: Timestamp,
    /// From when it is trusted no more; none while no other is to follow it.
    pub retires_at: Option<Timestamp>,
    /// Certificates for it by the one before it, for that one by the one before, and so on, DER, one after the other; none of the first.
    pub cross_der: Option<Vec<u8>>,
}

/// What became of the wish to trust a certificate authority no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorityRetirement {
    /// It is gone, with its private key. If none of the others was to sign yet, the next one does.
    Retired,
    /// It is the only one: another has to be made first.
    Only,
    /// It stays: an older one, which is trusted, vouches for it, and has to be retired first.
    VouchedFor,
}
