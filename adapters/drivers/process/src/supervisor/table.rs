// SPDX-License-Identifier: Apache-2.0
//! All runs, and the commands beside them: starting, finding their processes, ending them, and telling when they are over.

use std::collections::HashMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use cress_domain::InstanceId;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use rustix::process::{WaitOptions, WaitStatus, wait};

use super::channel::Events;
use super::log::Log;
use super::run::{Phase, Run};
use super::spawn::{Program, Spawner};
use crate::mark::{Mark, Marks};
use crate::processes::{self, Process};
use crate::protocol::{End, Event, Refusal, Start};

/// Commands beside one instance at a time: three probes and a few of an operator's.
const EXECS_MAX: usize = 8;
/// Looking at all processes costs some milliseconds on a full machine, so many ends in a row are looked at together.
const LOOK_INTERVAL_MIN: Duration = Duration::from_millis(10);
/// After so many looks in a row that found nothing of a run, the ends that keep us looking are those of another's processes.
const UNSEEN_LOOKS: u32 = 5;
/// A process that is born while its parent is killed is found at the next look. As a rule an end leads to that.
const KILL_INTERVAL: Duration = Duration::from_millis(100);

pub(super) struct Table {
    own_id: i32,
    marks: Marks,
    serial: u32,
    spawner: Spawner,
    runs: HashMap<InstanceId, Run>,
    /// Instances by the leaders that have not ended.
    leaders: HashMap<i32, InstanceId>,
    /// Commands beside an instance, by process.
    execs: HashMap<i32, Exec>,
    looked: Duration,
    is_look_due: bool,
    has_children: bool,
}

struct Exec {
    request: u64,
    instance: InstanceId,
    deadline: Duration,
    is_timed_out: bool,
}

impl Table {
    pub(super) fn new(own_id: i32, marks: Marks) -> io::Result<Self> {
        Ok(Self {
            own_id,
            marks,
            serial: 0,
            spawner: Spawner::new()?,
            runs: HashMap::new(),
            leaders: HashMap::new(),
            execs: HashMap::new(),
            looked: Duration::ZERO,
            is_look_due: false,
            has_children: false,
        })
    }

    /// Whether nothing at all is left, as far as the kernel knows.
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty() && !self.has_children
    }

    pub(super) fn start(
        &mut self,
        request: u64,
        instance: InstanceId,
        launch: Start,
        is_ending: bool,
    ) -> Result<(), Refusal> {
        if is_ending {
            return Err(Refusal::temporary("the process supervisor was told to end; try again"));
        }
        if self.runs.contains_key(&instance) {
            return Err(Refusal::permanent("expected an instance that does not run, but it does; stop it first"));
        }
        let (log, output) = Log::new(launch.log.into(), launch.log_bytes_max)
            .map_err(|error| Refusal::temporary(format!("cannot make a pipe for its output: {error}")))?;
        let mark = self.unused_mark();
        let leader = self.spawner.spawn(Program {
            command: &launch.command,
            environment: &launch.environment,
            namespace: launch.namespace.as_deref(),
            mark,
            output: Some(output),
        })?;
        self.has_children = true;
        self.leaders.insert(leader, instance);
        let run = Run {
            number: request,
            leader,
            mark,
            environment: launch.environment,
            namespace: launch.namespace,
            log,
            stop_grace: Duration::from_millis(launch.stop_grace_ms),
            phase: Phase::Running,
            end: None,
            stops: Vec::new(),
            looks_unseen: 0,
        };
        self.runs.insert(instance, run);
        Ok(())
    }

    fn unused_mark(&mut self) -> Mark {
        loop {
            self.serial = self.serial.wrapping_add(1);
            let mark = self.marks.mark(self.serial);
            if self.runs.values().all(|run| run.mark != mark) {
                return mark;
            }
        }
    }

    /// Ends the run, and remembers whom to tell; false if there is none.
    pub(super) fn stop(&mut self, request: u64, instance: InstanceId, deadline: Duration) -> bool {
        let Some(run) = self.runs.get_mut(&instance) else { return false };
        run.stops.push(request);
        run.stop(deadline);
        self.is_look_due = true;
        true
    }

    /// Ends all runs, each with its own grace.
    pub(super) fn end_all(&mut self, now: Duration) {
        for run in self.runs.values_mut() {
            run.stop(now.saturating_add(run.stop_grace));
        }
        self.is_look_due = true;
    }

    pub(super) fn exec(
        &mut self,
        request: u64,
        instance: InstanceId,
        command: &[String],
        deadline: Duration,
    ) -> Result<(), Refusal> {
        let running = self.runs.get(&instance).filter(|run| !run.is_ending());
        let run =
            running.ok_or_else(|| Refusal::temporary("expected an instance that runs; try again when it does"))?;
        if self.execs.values().filter(|exec| exec.instance == instance).count() >= EXECS_MAX {
            return Err(Refusal::temporary(format!(
                "expected at most {EXECS_MAX} commands at a time; wait for one to end"
            )));
        }
        let process = self.spawner.spawn(Program {
            command,
            environment: &run.environment,
            namespace: run.namespace.as_deref(),
            mark: run.mark,
            output: None,
        })?;
        self.has_children = true;
        self.execs.insert(process, Exec { request, instance, deadline, is_timed_out: false });
        Ok(())
    }

    /// Takes note of every child that has ended. True if one was no command of ours but a descendant of one.
    pub(super) fn reap(&mut self, events: &mut Events) -> bool {
        let mut was_descendant = false;
        // Not nix's wait: it loses a child that was ended by a real-time signal.
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((process, status))) => {
                    let process = process.as_raw_nonzero().get();
                    was_descendant |= end_of(status).is_some_and(|end| self.child_ended(process, end, events));
                }
                Ok(None) => {
                    self.has_children = true;
                    return was_descendant;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(_no_children) => {
                    self.has_children = false;
                    return was_descendant;
                }
            }
        }
    }

    fn child_ended(&mut self, process: i32, end: End, events: &mut Events) -> bool {
        if let Some(exec) = self.execs.remove(&process) {
            self.is_look_due |= self.runs.get(&exec.instance).is_some_and(Run::is_ending);
            let end = (!exec.is_timed_out).then_some(end);
            events.push(&Event::ExecEnded { request: exec.request, end });
            return false;
        }
        self.is_look_due = true;
        let instance = self.leaders.remove(&process);
        let run = instance.and_then(|instance| self.runs.get_mut(&instance));
        run.map(|run| run.leader_ended(end)).is_none()
    }

    /// Does what time or the end of processes have made due.
    pub(super) fn settle(&mut self, now: Duration, is_ending: bool, events: &mut Events) {
        for run in self.runs.values_mut() {
            self.is_look_due |= run.expire(now);
        }
        self.expire_execs(now);
        if self.look_time(is_ending).is_some_and(|time| time <= now) {
            self.look(now, is_ending, events);
        }
    }

    fn expire_execs(&mut self, now: Duration) {
        let mut all = None;
        for (process, exec) in &mut self.execs {
            if exec.deadline <= now && !exec.is_timed_out {
                exec.is_timed_out = true;
                let all = all.get_or_insert_with(processes::all);
                let _gone = killpg(Pid::from_raw(*process), Signal::SIGKILL);
                processes::descendants(*process, all).iter().for_each(|process| process.signal(Signal::SIGKILL));
            }
        }
    }

    /// When `settle` has something to do again, if nothing happens before.
    pub(super) fn next_deadline(&self, is_ending: bool) -> Option<Duration> {
        let execs = self.execs.values().filter(|exec| !exec.is_timed_out).map(|exec| exec.deadline);
        self.runs.values().filter_map(Run::deadline).chain(execs).chain(self.look_time(is_ending)).min()
    }

    fn look_time(&self, is_ending: bool) -> Option<Duration> {
        let is_over = is_ending && self.runs.is_empty();
        if !is_over && !self.runs.values().any(Run::is_ending) {
            return None;
        }
        let is_killing = is_over || self.runs.values().any(|run| run.phase == Phase::Killing);
        let interval = if self.is_look_due { LOOK_INTERVAL_MIN } else { KILL_INTERVAL };
        (self.is_look_due || is_killing).then(|| self.looked.saturating_add(interval))
    }

    /// Looks at all processes, tells those of ending runs to end, and finds the runs of which none is left.
    fn look(&mut self, now: Duration, is_ending: bool, events: &mut Events) {
        let descendants = processes::descendants(self.own_id, &processes::all());
        if is_ending && self.runs.is_empty() {
            descendants.iter().for_each(|process| process.signal(Signal::SIGKILL));
        }
        let members = self.members(&descendants);
        let of = |id: &InstanceId| members.get(id).map(Vec::as_slice).unwrap_or_default();
        for (id, run) in &mut self.runs {
            run.signal(of(id));
        }
        let mut gone: Vec<InstanceId> =
            self.runs.iter_mut().filter_map(|(id, run)| run.is_unseen(of(id)).then_some(*id)).collect();
        // A process that ended during the look may have been the unseen parent of an unseen child. It has become our
        // child by then, so that we hear of it; then another look tells.
        self.looked = now;
        self.is_look_due = self.reap(events);
        if self.is_look_due {
            gone.retain(|id| self.runs.get(id).is_some_and(|run| run.looks_unseen >= UNSEEN_LOOKS));
        }
        gone.into_iter().for_each(|id| self.finish(id, events));
    }

    fn members(&self, descendants: &[Process]) -> HashMap<InstanceId, Vec<Process>> {
        let by_mark: HashMap<Mark, InstanceId> = self.runs.iter().map(|(id, run)| (run.mark, *id)).collect();
        let by_group: HashMap<i32, InstanceId> = self.runs.iter().map(|(id, run)| (run.leader, *id)).collect();
        let mut members: HashMap<InstanceId, Vec<Process>> = HashMap::new();
        for process in descendants {
            let marked = Mark::of_process(process.id).and_then(|mark| by_mark.get(&mark));
            if let Some(id) = marked.or_else(|| by_group.get(&process.group)) {
                members.entry(*id).or_default().push(*process);
            }
        }
        members
    }

    fn finish(&mut self, id: InstanceId, events: &mut Events) {
        let Some(mut run) = self.runs.remove(&id) else { return };
        if let Some(message) = run.log.finish() {
            events.push(&Event::Warning { instance: id, message });
        }
        if let Some(end) = run.end {
            events.push(&Event::Ended { run: run.number, end });
        }
        run.stops.iter().for_each(|request| events.push(&Event::Stopped { request: *request }));
    }

    /// Where instances' output can be waited for.
    pub(super) fn logs(&self) -> impl Iterator<Item = (InstanceId, BorrowedFd<'_>)> {
        self.runs.iter().filter_map(|(id, run)| Some((*id, run.log.source()?)))
    }

    pub(super) fn copy_log(&mut self, instance: InstanceId, buffer: &mut [u8], events: &mut Events) {
        let warning = self.runs.get_mut(&instance).and_then(|run| run.log.copy(buffer));
        if let Some(message) = warning {
            events.push(&Event::Warning { instance, message });
        }
    }
}

fn end_of(status: WaitStatus) -> Option<End> {
    status.exit_status().map(End::Code).or_else(|| status.terminating_signal().map(End::Signal))
}
