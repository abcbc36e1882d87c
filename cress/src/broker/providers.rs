// SPDX-License-Identifier: Apache-2.0
//! The kinds of providers there are: the one place that knows them all.

use std::sync::Arc;

use cress_broker::ProviderBuilder;

/// Builds a provider of the kind that a configuration names.
pub(crate) fn builder() -> ProviderBuilder {
    Arc::new(|kind, settings, ports| match kind {
        cress_provider_jwt::KIND => Some(cress_provider_jwt::build(settings, ports)),
        cress_provider_postgresql::KIND => Some(cress_provider_postgresql::build(settings, ports)),
        cress_provider_r2::KIND => Some(cress_provider_r2::build(settings, ports)),
        cress_provider_redis::KIND => Some(cress_provider_redis::build(settings, ports)),
        cress_provider_static::KIND => Some(cress_provider_static::build(settings, ports)),
        _ => None,
    })
}
