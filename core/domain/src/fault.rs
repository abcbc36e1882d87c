// SPDX-License-Identifier: Apache-2.0
//! Points at which a crash test ends the process: one before and after each effect that outlives it.
//!
//! A program built for release has none: [`point`] is empty there. In a debug build it calls what the program has hung in with
//! [`at_points`], and nothing if that is nothing. What happens at a point, and when, is never decided here.

/// Says that an effect is about to come, or has just come. `name` says which, for the report of a crash test.
#[cfg(debug_assertions)]
pub fn point(name: &'static str) {
    if let Some(hook) = HOOK.get() {
        hook(name);
    }
}

/// Nothing: only a debug build has points.
#[cfg(not(debug_assertions))]
#[inline]
pub fn point(_name: &'static str) {}

#[cfg(debug_assertions)]
static HOOK: std::sync::OnceLock<fn(&'static str)> = std::sync::OnceLock::new();

/// Has `hook` called at every point from now on. The first one stays.
#[cfg(debug_assertions)]
pub fn at_points(hook: fn(&'static str)) {
    HOOK.get_or_init(|| hook);
}
