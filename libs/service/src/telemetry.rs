// SPDX-License-Identifier: Apache-2.0
//! Logs: to standard error, for people or as JSON, at a level that a flag or `CRESS_LOG` sets. No token and no secret is ever logged.

use std::io::{self, IsTerminal};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

/// The variable that sets the level where no flag does.
pub const LOG_VARIABLE: &str = "CRESS_LOG";

/// What is logged where nobody says otherwise.
pub const LOG_DEFAULT: &str = "info";

/// How a line of the log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people; in colour on a terminal unless `NO_COLOR` is set.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// The level is no level.
    #[error(
        "log level `{filter}`: expected error, warn, info, debug, trace, or directives such as info,cress_node=debug: {reason}"
    )]
    Filter {
        /// What came.
        filter: String,
        /// Where it is wrong.
        reason: String,
    },
    /// Logging was started before.
    #[error("logging was already started in this process")]
    AlreadyStarted,
}

/// Starts logging for the whole process; panics are logged too. `filter` is a level (`debug`) or directives
/// (`info,cress_node=trace`); without one [`LOG_VARIABLE`] counts, else [`LOG_DEFAULT`].
///
/// # Errors
/// [`TelemetryError`]: a filter that is none, or a second start.
pub fn init(format: LogFormat, filter: Option<&str>) -> Result<(), TelemetryError> {
    let from_environment = std::env::var(LOG_VARIABLE).ok().filter(|text| !text.is_empty());
    let filter = parse_filter(filter.or(from_environment.as_deref()).unwrap_or(LOG_DEFAULT))?;
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let subscriber = subscriber(format, filter, colour, BoxMakeWriter::new(io::stderr));
    tracing::subscriber::set_global_default(subscriber).map_err(|_| TelemetryError::AlreadyStarted)?;
    log_panics();
    Ok(())
}

fn parse_filter(filter: &str) -> Result<EnvFilter, TelemetryError> {
    let builder = EnvFilter::builder();
    builder
        .parse(filter)
        .map_err(|error| TelemetryError::Filter { filter: filter.to_owned(), reason: error.to_string() })
}

fn subscriber(
    format: LogFormat,
    filter: EnvFilter,
    colour: bool,
    writer: BoxMakeWriter,
) -> Box<dyn tracing::Subscriber + Send + Sync> {
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    match format {
        LogFormat::Human => Box::new(builder.with_ansi(colour).finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
    }
}

fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("(no message)");
        tracing::error!(place, message, "panic: a defect of cress, please report it");
    }));
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, filter: &str) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let writer = BoxMakeWriter::new(move || writer.clone());
        let subscriber = subscriber(format, parse_filter(filter).unwrap(), false, writer);
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(port = 8420, "listening");
            tracing::debug!("detail");
        });
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn writes_for_people_and_for_programs() {
        let human = logged(LogFormat::Human, "info");
        assert!(human.contains("listening port=8420") && !human.contains('\x1b') && !human.contains("detail"));
        assert!(logged(LogFormat::Human, "debug").contains("detail"));
        let json: serde_json::Value = serde_json::from_str(&logged(LogFormat::Json, "info")).unwrap();
        assert_eq!((json["message"].as_str(), json["port"].as_i64()), (Some("listening"), Some(8420)));
    }

    #[test]
    fn a_wrong_level_is_named() {
        let error = parse_filter("cress=loud").unwrap_err().to_string();
        assert!(error.starts_with("log level `cress=loud`: expected error, warn"), "{error}");
    }
}
