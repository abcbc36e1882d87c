// SPDX-License-Identifier: Apache-2.0
//! Metrics in the OpenMetrics text format, on a listener of their own: they tell of load and inventory, which the public need not know.

mod process;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use cress_api::Problem;
use cress_domain::Clock;
use http::header::CONTENT_TYPE;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::Shutdown;
use crate::listen::{Limits, Listener, Server};
use crate::problem::{ProblemResponse, with_problems};

pub use prometheus_client;

/// The media type of the OpenMetrics text format.
const OPENMETRICS_TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a process counts. Clones are the same registry.
#[derive(Clone)]
pub struct Metrics(Arc<Mutex<Registry>>);

impl Metrics {
    /// A registry that already tells the version, and of the process where the system does (Linux): resident bytes, open files, CPU
    /// seconds and start.
    #[must_use]
    pub fn new(version: &str, clock: &dyn Clock) -> Self {
        let mut registry = Registry::default();
        let version = Info::new(vec![("version".to_owned(), version.to_owned())]);
        registry.register("cress_build", "The version that runs", version);
        process::register(&mut registry, clock.now());
        Self(Arc::new(Mutex::new(registry)))
    }

    /// Registers metrics: called once by each part, at its start. Names begin with the role, such as `control_tokens_issued`.
    pub fn register<T>(&self, register: impl FnOnce(&mut Registry) -> T) -> T {
        register(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Everything, as text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let registry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match encode(&mut text, &registry) {
            Ok(()) => text,
            Err(fmt::Error) => String::new(),
        }
    }

    /// Serves `GET /metrics` until `shutdown` asks to stop.
    pub async fn serve(self, listener: Listener, shutdown: &Shutdown) {
        let router = with_problems(Router::new().route("/metrics", get(answer)).with_state(self));
        Server::new(listener).limits(Limits { connections_max: 64, ..Limits::default() }).serve(router, shutdown).await;
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Metrics(..)")
    }
}

async fn answer(State(metrics): State<Metrics>) -> Response {
    let text = metrics.to_text();
    if text.is_empty() {
        return ProblemResponse(Problem::new(500, "internal-error", "Internal Server Error")).into_response();
    }
    ([(CONTENT_TYPE, OPENMETRICS_TEXT)], text).into_response()
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;

    use super::*;
    use crate::SystemClock;

    #[test]
    fn tells_of_the_process_and_of_what_is_registered() {
        let metrics = Metrics::new("1.2.3", &SystemClock::new());
        let counter: Counter = Counter::default();
        metrics.register(|registry| registry.register("control_tokens_issued", "Tokens issued", counter.clone()));
        counter.inc();
        let text = metrics.to_text();
        for line in ["control_tokens_issued_total 1", r#"cress_build_info{version="1.2.3"} 1"#, "# EOF"] {
            assert!(text.contains(line), "{line} in {text}");
        }
        #[cfg(target_os = "linux")]
        for name in ["process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total"] {
            let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
            assert!(line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() > 0.0, "{line}");
        }
    }

    #[tokio::test]
    async fn has_a_listener_of_its_own() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = Listener::tcp("127.0.0.1:0".parse().unwrap(), "--metrics-listen").await.unwrap();
        let port = listener.port().unwrap();
        let shutdown = Shutdown::default();
        let metrics = Metrics::new("1.2.3", &SystemClock::new());
        let serving = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { metrics.serve(listener, &shutdown).await }
        });
        for (path, expected) in [("/metrics", "content-type: application/openmetrics-text"), ("/", "\"status\":404")] {
            let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.contains(expected), "{answer}");
        }
        shutdown.request();
        serving.await.unwrap();
    }
}
