// SPDX-License-Identifier: Apache-2.0
//! A scene, played once to count its points, and then once for each point with control killed there.
//!
//! A run takes some hundreds of starts. Where that is too long, points are drawn: `CRESS_TEST_CRASHES` is how many of each scene at
//! most, or `all`; which ones is told by `CRESS_TEST_SEED`, a number, and printed.
#![expect(clippy::print_stdout, reason = "which points were tried is the test's report")]

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use cress_tests::{Faults, Program, Replica, base_port, eventually};
use serde_json::Value;
use tempfile::TempDir;

use super::sites::{Site, Store};

/// Points of one scene that are tried, unless told otherwise.
const POINTS_SQLITE: usize = usize::MAX;
const POINTS_POSTGRES: usize = 8;
const WORKERS: usize = 3;

/// Something that must be whole or not at all.
pub(super) struct Scene {
    pub(super) name: &'static str,
    /// Settings of control at all times.
    pub(super) settings: &'static [(&'static str, &'static str)],
    /// By how many seconds it happens later than what it builds on.
    pub(super) later_seconds: u32,
    /// What it builds on; returns what is to be remembered of it. It may stop control. None: a start of nothing.
    pub(super) prepare: Option<fn(&mut Stage) -> Value>,
    /// What happens. It must be over when this returns, and fail if control does. Asked again after a crash it must succeed.
    pub(super) act: fn(&mut Stage) -> Result<(), String>,
    /// What must be true when control is up again after a crash, and once more when `act` has succeeded.
    pub(super) check: fn(&Stage, &Value, Moment),
}

/// When something is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Whatever has happened has happened wholly or not at all.
    AfterCrash,
    /// It has happened.
    Done,
}

/// Where a scene is played.
pub(super) struct Stage {
    pub(super) control: Replica,
    pub(super) later_seconds: u32,
    /// A node that the scene has started.
    pub(super) node: Option<Program>,
    /// Which key-encryption key was in use before the scene began.
    pub(super) rotated_from: Option<Value>,
    pub(super) faults: Faults,
    /// Dropped after control.
    pub(super) site: Site,
    directory: TempDir,
}

impl Stage {
    fn new(scene: &Scene, site: Site, port: u16) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let faults = Faults::in_directory(&directory.path().join("faults"));
        let mut control = Replica::new(directory.path(), port);
        control.set(Faults::VARIABLE, faults.directory());
        site.configure(&mut control, directory.path());
        scene.settings.iter().for_each(|(variable, value)| control.set(variable, *value));
        Self { control, later_seconds: 0, node: None, rotated_from: None, faults, site, directory }
    }

    /// A copy of what was prepared.
    pub(super) fn copy(scene: &Scene, template: &Template, port: u16) -> Self {
        let mut stage = Self::new(scene, Site::new(template.site.store, Some(&template.site)), port);
        copy(template.directory.path(), stage.directory.path());
        stage.later_seconds = scene.later_seconds;
        stage.control.set("CRESS_CLOCK_AHEAD_SECONDS", scene.later_seconds.to_string());
        stage
    }

    /// Where the scene's node lives.
    pub(super) fn node_directory(&self) -> std::path::PathBuf {
        self.directory.path().join("node")
    }

    /// Starts the scene's node, if it does not run.
    pub(super) fn start_node(&mut self) {
        if self.node.is_none() {
            let later = self.later_seconds.to_string();
            self.node = Some(self.control.start_node(&self.node_directory(), &[("CRESS_CLOCK_AHEAD_SECONDS", &later)]));
        }
    }

    /// Waits for something that control does; fails when control is gone.
    pub(super) fn until<T>(
        &self,
        what: &str,
        mut look: impl FnMut(&Replica) -> Result<Option<T>, String>,
    ) -> Result<T, String> {
        eventually(what, || look(&self.control).transpose())
    }

    /// Plays the scene with control to be killed at a point; how many were passed.
    fn play(&mut self, scene: &Scene, kill_at: Option<usize>) -> usize {
        let from_start = scene.prepare.is_none() || scene.later_seconds > 0;
        let arm = |faults: &Faults| kill_at.map_or_else(|| faults.disarm(), |number| faults.kill_at(number));
        if from_start {
            arm(&self.faults);
        }
        if self.control.try_start() {
            if !from_start {
                arm(&self.faults);
            }
            let acted = (scene.act)(self);
            assert!(acted.is_ok() || kill_at.is_some(), "{}: {acted:?}: {}", scene.name, self.control.output());
        }
        self.faults.passed().len()
    }

    fn kill_and_start_again(&mut self, scene: &Scene) {
        if !self.control.has_ended() {
            self.control.program().kill();
        }
        self.faults.disarm();
        assert!(self.control.try_start(), "{}: does not start again: {}", scene.name, self.control.output());
    }
}

/// Plays a scene as often as it has points.
pub(super) fn run(scene: &Scene, store: Store) {
    let (template, notes) = prepare(scene, store);
    let total = Stage::copy(scene, &template, base_port()).play(scene, None);
    let chosen = choose(total, store);
    println!("{}: {} of {total} points", scene.name, chosen.len());
    let (next, reached) = (AtomicUsize::new(0), Mutex::new(0_usize));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let port = base_port();
                while let Some(number) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let was_killed = crash(scene, &template, &notes, port, *number);
                    *reached.lock().unwrap() += usize::from(was_killed);
                }
            });
        }
    });
    // What runs beside the scene (such as forgetting what is over, right after a start) passes its points earlier or later.
    let reached = reached.into_inner().unwrap();
    assert!(reached * 3 >= chosen.len(), "{}: only {reached} of {} points were reached", scene.name, chosen.len());
}

/// What a scene builds on, to be copied. Nothing runs on it.
pub(super) struct Template {
    site: Site,
    directory: TempDir,
}

pub(super) fn prepare(scene: &Scene, store: Store) -> (Template, Value) {
    let site = Site::new(store, None);
    let Some(prepare) = scene.prepare else {
        return (Template { site, directory: tempfile::tempdir().unwrap() }, Value::Null);
    };
    let mut stage = Stage::new(scene, site, base_port());
    stage.control.start();
    let notes = prepare(&mut stage);
    if !stage.control.has_ended() {
        stage.control.program().interrupt();
    }
    let Stage { site, directory, .. } = stage;
    (Template { site, directory }, notes)
}

/// Whether the point was reached.
fn crash(scene: &Scene, template: &Template, notes: &Value, port: u16, number: usize) -> bool {
    let mut stage = Stage::copy(scene, template, port);
    let passed = stage.play(scene, Some(number));
    let was_killed = passed >= number;
    if was_killed {
        eventually("control to have killed itself", || stage.control.has_ended().then_some(()));
    }
    let at = stage.faults.passed().pop().unwrap_or_default();
    let context = Context { scene: scene.name, number, at };
    stage.kill_and_start_again(scene);
    (scene.check)(&stage, notes, Moment::AfterCrash);
    let acted = (scene.act)(&mut stage);
    assert!(acted.is_ok(), "{}: it cannot be done again: {acted:?}: {}", scene.name, stage.control.output());
    (scene.check)(&stage, notes, Moment::Done);
    drop(context);
    was_killed
}

/// Tells which point it was when a check fails.
pub(super) struct Context {
    pub(super) scene: &'static str,
    pub(super) number: usize,
    pub(super) at: String,
}

impl Drop for Context {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}: this was point {} ({})", self.scene, self.number, self.at);
        }
    }
}

/// All points, or some.
pub(super) fn choose(total: usize, store: Store) -> Vec<usize> {
    let most = match std::env::var("CRESS_TEST_CRASHES").as_deref() {
        Ok("all") => usize::MAX,
        Ok(number) => number.parse().unwrap(),
        Err(_) if store == Store::Sqlite => POINTS_SQLITE,
        Err(_) => POINTS_POSTGRES,
    };
    let seed: usize = std::env::var("CRESS_TEST_SEED").ok().map_or(1, |seed| seed.parse().unwrap());
    if total <= most {
        return (1..=total).collect();
    }
    println!("CRESS_TEST_SEED={seed}");
    // Evenly, from a point that the seed chooses.
    (0..most).map(|index| (index * total / most + seed) % total + 1).collect()
}

/// Everything but sockets.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (kind, target) = (entry.file_type().unwrap(), to.join(entry.file_name()));
        if kind.is_dir() && entry.file_name() != "faults" {
            copy(&entry.path(), &target);
        } else if kind.is_file() {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
