// SPDX-License-Identifier: Apache-2.0
//! What a person sees of a task: the one place that prints.

use std::time::Instant;

/// Says that a step begins, or what it found.
#[expect(clippy::print_stdout, reason = "a task's output is its duty")]
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// Says why a task failed.
#[expect(clippy::print_stderr, reason = "a task's output is its duty")]
pub(crate) fn failure(text: &str) {
    eprintln!("error: {text}");
}

/// Measures how long a step takes, for people.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "the time is only shown; nothing depends on it")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Such as `12.3 s`.
    pub(crate) fn text(&self) -> String {
        format!("{:.1} s", self.0.elapsed().as_secs_f64())
    }
}
