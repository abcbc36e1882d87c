// SPDX-License-Identifier: Apache-2.0
//! What control counts as it happens.

use cress_api::node_protocol::TokenRefusal;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Counts of what happened since the start. Clones count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counters {
    tokens_issued: Counter,
    tokens_refused: Family<RefusalLabels, Counter>,
    enrolments: Family<EnrolmentLabels, Counter>,
    store_errors: Family<StoreLabels, Counter>,
    reports_ignored: Family<IgnoredLabels, Counter>,
    nodes_duplicated: Counter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IgnoredLabels {
    reason: IgnoredReport,
}

/// Why what a node says of an instance is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the names are the label's values")]
pub(crate) enum IgnoredReport {
    /// It is not placed on that node; perhaps it has just ended.
    not_placed,
    /// Its id is none.
    malformed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    reason: RefusalReason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the names are the label's values")]
enum RefusalReason {
    not_placed,
    audience,
    malformed,
    no_signing_key,
    other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EnrolmentLabels {
    outcome: EnrolmentOutcome,
}

/// How a call of the enrolment service ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the names are the label's values")]
pub(crate) enum EnrolmentOutcome {
    /// A node joined, or joined again with the same key.
    enrolled,
    /// A node's certificate was renewed.
    renewed,
    /// A node without a good certificate proved its key and got one.
    recovered,
    /// A call was refused.
    refused,
    /// Control itself failed.
    failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StoreLabels {
    part: StorePart,
}

/// Which part of control asked the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the names are the label's values")]
pub(crate) enum StorePart {
    /// The admin API.
    admin,
    /// The feed of the fleet's view.
    feed,
    /// Placement.
    placement,
    /// Enrolment and renewal.
    enrolment,
    /// What nodes say on their streams.
    reports,
    /// The key ring.
    keyring,
}

impl Counters {
    /// Registers everything that is counted here.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let Self { tokens_issued, tokens_refused, enrolments, store_errors, reports_ignored, nodes_duplicated } =
            self.clone();
        registry.register("control_tokens_issued", "Tokens signed for nodes", tokens_issued);
        registry.register("control_tokens_refused", "Tokens that nodes asked for and did not get", tokens_refused);
        registry.register("control_enrolments", "Calls of the enrolment service", enrolments);
        registry.register("control_reports_ignored", "Instances that nodes reported in vain", reports_ignored);
        let help = "Times that two agents were seen with the key of one node";
        registry.register("control_nodes_duplicated", help, nodes_duplicated);
        registry.register("control_store_errors", "Failures of the store, by who asked it", store_errors);
    }

    /// So many tokens were signed.
    pub(crate) fn tokens_issued(&self, count: u64) {
        self.tokens_issued.inc_by(count);
    }

    /// A token was refused.
    pub(crate) fn token_refused(&self, refusal: TokenRefusal) {
        let reason = match refusal {
            TokenRefusal::NotPlaced => RefusalReason::not_placed,
            TokenRefusal::Audience => RefusalReason::audience,
            TokenRefusal::Malformed => RefusalReason::malformed,
            TokenRefusal::NoSigningKey => RefusalReason::no_signing_key,
            TokenRefusal::Unspecified => RefusalReason::other,
        };
        self.tokens_refused.get_or_create(&RefusalLabels { reason }).inc();
    }

    /// A call of the enrolment service ended.
    pub(crate) fn enrolment(&self, outcome: EnrolmentOutcome) {
        self.enrolments.get_or_create(&EnrolmentLabels { outcome }).inc();
    }

    /// What a node said of so many instances was ignored.
    pub(crate) fn reports_ignored(&self, reason: IgnoredReport, count: u64) {
        if count > 0 {
            self.reports_ignored.get_or_create(&IgnoredLabels { reason }).inc_by(count);
        }
    }

    /// Two agents were seen with the key of one node.
    pub(crate) fn node_duplicated(&self) {
        self.nodes_duplicated.inc();
    }

    /// The store failed, other than by a refusal that is the caller's own doing.
    pub(crate) fn store_failed(&self, part: StorePart) {
        self.store_errors.get_or_create(&StoreLabels { part }).inc();
    }
}
