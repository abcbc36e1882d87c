// SPDX-License-Identifier: Apache-2.0
//! How a role's process logs.

use cress_service::telemetry;

use crate::cli::Logging;

/// Starts logging as the flags say; `default_level` counts where neither a flag nor the environment names one.
pub(crate) fn start(logging: &Logging, default_level: &str) -> anyhow::Result<()> {
    let environment = std::env::var(telemetry::LOG_VARIABLE).ok().filter(|text| !text.is_empty());
    let filter = logging.log.clone().or(environment).unwrap_or_else(|| default_level.to_owned());
    Ok(telemetry::init(logging.log_format.unwrap_or_default(), Some(&filter))?)
}
