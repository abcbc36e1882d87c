// SPDX-License-Identifier: Apache-2.0
//! From verified claims to an owner. Only ids are looked at: names are chosen by tenants, and free again after a deletion.

use cress_domain::{Audience, OrganizationId};
use cress_provider::Subject;
use cress_verify::{ClaimRule, Claims};
use serde_json::Value;

use super::Refused;
use crate::config::{ConfigError, IssuerConfig};
use crate::lease::Owner;

/// Longest id that an owner is made of, in bytes: it is a key of the store.
const ID_BYTES_MAX: usize = 255;

/// How the tokens of one issuer say whose they are.
#[derive(Debug)]
pub(super) struct Identity {
    organization: Option<ClaimRule>,
    group: Option<ClaimRule>,
    instance: Option<ClaimRule>,
    machine: Option<ClaimRule>,
    /// The organizations whose tokens may be meant for them alone; none if all must be meant for the broker.
    organizations: Option<Vec<OrganizationId>>,
}

impl Identity {
    pub(super) fn of(name: &str, issuer: &IssuerConfig) -> Result<Self, ConfigError> {
        let [organization, group, instance, machine] = issuer.identity(name)?;
        let organizations = issuer.accept_organization_audience.then(|| issuer.organizations.clone());
        Ok(Self { organization, group, instance, machine, organizations })
    }

    /// A token that is meant for an organization passes only where that is said to be good enough, and only for its own.
    pub(super) fn check_audience(&self, claims: &Claims, broker: &Audience) -> Result<(), Refused> {
        let is_for = |wanted: &str| claims.audiences().any(|audience| audience == wanted);
        if is_for(broker.as_str()) {
            return Ok(());
        }
        let Some(organizations) = &self.organizations else { return Err(Refused::for_another()) };
        let own = id(claims, self.organization.as_ref())?;
        let is_accepted = |own: &String| {
            is_for(own) && (organizations.is_empty() || organizations.iter().any(|one| one.to_string() == *own))
        };
        if own.as_ref().is_some_and(is_accepted) { Ok(()) } else { Err(Refused::for_another()) }
    }

    /// Who it is.
    pub(super) fn subject(&self, claims: &Claims) -> Result<Subject, Refused> {
        Ok(Subject {
            issuer: claims.issuer().clone(),
            subject: claims.subject().map(|text| checked("sub", text)).transpose()?,
            organization_id: id(claims, self.organization.as_ref())?,
            group_id: id(claims, self.group.as_ref())?,
            instance_id: id(claims, self.instance.as_ref())?,
            machine_id: id(claims, self.machine.as_ref())?,
        })
    }
}

/// Whose a lease is: the instance's, or the replicas' of a group on one machine, or the subject's.
pub(super) fn owner(subject: &Subject) -> Result<Owner, Refused> {
    let issuer = subject.issuer.clone();
    match (&subject.instance_id, &subject.machine_id, &subject.group_id, &subject.subject) {
        (Some(instance_id), ..) => Ok(Owner::Instance { issuer, instance_id: instance_id.clone() }),
        (None, Some(machine_id), Some(group_id), _) => {
            Ok(Owner::Replicas { issuer, machine_id: machine_id.clone(), group_id: group_id.clone() })
        }
        (None, _, _, Some(sub)) => Ok(Owner::Subject { issuer, subject: sub.clone() }),
        _ => Err(Refused::without_identity()),
    }
}

/// Whose a shared lease is.
pub(super) fn group(subject: &Subject) -> Option<Owner> {
    let group_id = subject.group_id.clone()?;
    Some(Owner::Group { issuer: subject.issuer.clone(), group_id })
}

fn id(claims: &Claims, claim: Option<&ClaimRule>) -> Result<Option<String>, Refused> {
    let Some(claim) = claim else { return Ok(None) };
    match claim.find(claims.as_map()) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => checked(claim.claim(), text).map(Some),
        Some(_) => Err(Refused::claim_type(claim.claim())),
    }
}

fn checked(claim: &str, text: &str) -> Result<String, Refused> {
    let is_id = (1..=ID_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    if is_id { Ok(text.to_owned()) } else { Err(Refused::claim_type(claim)) }
}
