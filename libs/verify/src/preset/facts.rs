// SPDX-License-Identifier: Apache-2.0
//! The facts of each preset, and where they were read.

use std::time::Duration;

use super::{ClaimKind, IdentityClaim};
use crate::Algorithm;

pub(super) struct Facts {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// Nothing where each installation has another.
    pub(super) issuer: Option<&'static str>,
    /// How to learn the issuer.
    pub(super) issuer_hint: &'static str,
    /// What follows the issuer in the key set's URL.
    pub(super) jwks_path: &'static str,
    pub(super) algorithms: &'static [Algorithm],
    pub(super) lifetime_max: Duration,
    /// Beside `iss` and `exp`.
    pub(super) required_claims: &'static [&'static str],
    pub(super) claim_rules: &'static [&'static str],
    pub(super) identity_claims: &'static [IdentityClaim],
}

const HOUR: Duration = Duration::from_secs(3_600);
/// No workload needs a token that outlives this, and one that was stolen is good for as long.
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// SaladCloud publishes its keys on another host than its issuer's.
pub(super) const SALADCLOUD_JWKS_URL: &str = "https://matrix-rest-api.salad.com/.well-known/workload-jwks.json";

/// The claims of [`cress_token::Rules::for_workloads`].
const WORKLOAD_CLAIMS: &[&str] =
    &["sub", "jti", "iat", "nbf", "aud", "salad_machine_id", "salad_workload_id", "salad_organization_id"];

const WORKLOAD_IDENTITY: &[IdentityClaim] = &[
    id("salad_organization_id", "the organization"),
    id("salad_workload_id", "the container group"),
    id("salad_machine_id", "the machine, also in sub"),
    name("salad_workload_name", "the container group's name"),
    name("salad_organization_name", "the organization's name"),
];

pub(super) const CRESS: Facts = Facts {
    name: "cress",
    title: "cress",
    issuer: None,
    issuer_hint: "the public URL of control, or its setting `issuer`",
    jwks_path: "/.well-known/workload-jwks.json",
    algorithms: &[Algorithm::Es256],
    lifetime_max: HOUR,
    required_claims: WORKLOAD_CLAIMS,
    claim_rules: &[],
    identity_claims: &[
        id("salad_organization_id", "the organization"),
        id("salad_workload_id", "the container group"),
        id("salad_instance_id", "the instance"),
        id("salad_machine_id", "the machine, also in sub"),
        name("salad_workload_name", "the container group's name"),
        name("salad_organization_name", "the organization's name"),
    ],
};

pub(super) const SALADCLOUD: Facts = Facts {
    name: "saladcloud",
    title: "SaladCloud",
    issuer: Some("https://matrix-api.salad.io"),
    issuer_hint: "",
    jwks_path: "",
    identity_claims: WORKLOAD_IDENTITY,
    ..CRESS
};

/// <https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens>. RS256 with the
/// keys that kubeadm and the clouds make; an operator may give the API server EC keys.
pub(super) const KUBERNETES: Facts = Facts {
    name: "kubernetes",
    title: "Kubernetes",
    issuer: None,
    issuer_hint: "the cluster's, which `kubectl get --raw /.well-known/openid-configuration` shows",
    jwks_path: "/openid/v1/jwks",
    algorithms: &[Algorithm::Rs256, Algorithm::Es256, Algorithm::Es384],
    // An hour unless the pod asks for more; those that the API server extends to a year for old clients are refused.
    lifetime_max: DAY,
    required_claims: &["sub", "aud", "iat", "nbf", "kubernetes.io"],
    claim_rules: &["sub^=system:serviceaccount:"],
    identity_claims: &[
        id("/kubernetes.io/serviceaccount/uid", "the service account"),
        id("/kubernetes.io/pod/uid", "the pod"),
        name("/kubernetes.io/namespace", "the namespace"),
        name("/kubernetes.io/serviceaccount/name", "the service account's name"),
        name("/kubernetes.io/pod/name", "the pod's name"),
        name("sub", "system:serviceaccount:NAMESPACE:NAME"),
    ],
};

/// <https://spiffe.io/docs/latest/spiffe-specs/jwt-svid/>. Which algorithm, `ca_key_type` and `jwt_key_type` of the server say.
pub(super) const SPIRE: Facts = Facts {
    name: "spire",
    title: "SPIRE",
    issuer: None,
    issuer_hint: "the server's setting `jwt_issuer`, without which its tokens name none; the URL of its OIDC discovery provider",
    jwks_path: "/keys",
    algorithms: &[Algorithm::Es256, Algorithm::Es384, Algorithm::Rs256],
    lifetime_max: DAY,
    required_claims: &["sub", "aud", "iat"],
    claim_rules: &["sub^=spiffe://"],
    identity_claims: &[name(
        "sub",
        "the SPIFFE id, spiffe://TRUST-DOMAIN/PATH; registered by the operator, so safe to match whole",
    )],
};

/// <https://docs.github.com/en/actions/reference/security/oidc>.
pub(super) const GITHUB_ACTIONS: Facts = Facts {
    name: "github-actions",
    title: "GitHub Actions",
    issuer: Some("https://token.actions.githubusercontent.com"),
    issuer_hint: "",
    jwks_path: "/.well-known/jwks",
    algorithms: &[Algorithm::Rs256],
    lifetime_max: HOUR,
    required_claims: &["sub", "aud", "iat", "nbf", "jti", "repository_id", "repository_owner_id"],
    claim_rules: &[],
    identity_claims: &[
        id("repository_id", "the repository"),
        id("repository_owner_id", "the owner of the repository"),
        id("run_id", "the run of the workflow"),
        name("repository", "OWNER/NAME of the repository"),
        name("ref", "the branch or tag, such as refs/heads/main"),
        name("environment", "the environment, whose protection rules the job has passed"),
        name("job_workflow_ref", "the workflow file and its ref"),
        name("sub", "repository with environment, ref or pull_request, as the repository's settings say"),
    ],
};

/// <https://docs.gitlab.com/ci/secrets/id_token_authentication/>.
pub(super) const GITLAB: Facts = Facts {
    name: "gitlab",
    title: "GitLab",
    issuer: Some("https://gitlab.com"),
    issuer_hint: "",
    jwks_path: "/oauth/discovery/keys",
    algorithms: &[Algorithm::Rs256],
    // As long as the job may run: an hour unless the project says otherwise.
    lifetime_max: DAY,
    required_claims: &["sub", "aud", "iat", "nbf", "jti", "project_id", "namespace_id"],
    claim_rules: &[],
    identity_claims: &[
        id("project_id", "the project"),
        id("namespace_id", "the group or user that the project belongs to"),
        id("job_id", "the job"),
        name("project_path", "GROUP/NAME of the project"),
        name("ref", "the branch or tag; match ref_type and ref_protected, too"),
        name("ref_protected", "true if only maintainers may push to the ref"),
        name("environment", "the environment that the job deploys to"),
        name("sub", "project_path:GROUP/NAME:ref_type:TYPE:ref:REF"),
    ],
};

const fn id(claim: &'static str, meaning: &'static str) -> IdentityClaim {
    IdentityClaim { claim, meaning, kind: ClaimKind::Id }
}

const fn name(claim: &'static str, meaning: &'static str) -> IdentityClaim {
    IdentityClaim { claim, meaning, kind: ClaimKind::Name }
}
