// SPDX-License-Identifier: Apache-2.0
//! The supervisor: the parent of all instances, and whatever descends from them, of one agent.
//!
//! One thread that waits for the agent, for the end of processes, for their output and for deadlines. It keeps no promise
//! but one: nothing it started outlives the agent. So no error ends it early; when it cannot go on as told, it ends what
//! it started first.

mod channel;
mod log;
mod run;
mod spawn;
mod table;

use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsFd, RawFd};
use std::process::ExitCode;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{close, setsid};

use crate::mark::Marks;
use crate::monotonic;
use crate::processes::Process;
use crate::protocol::{Event, Request};
use channel::{Events, Requests};
use table::Table;

/// Most that is read of one source before the next has its turn.
const CHUNK_BYTES: usize = 64 << 10;

/// The whole program of the supervisor's process, to be called before any thread is started. Returns when the agent has
/// closed its standard input and nothing of what was started is left.
#[must_use]
pub fn main() -> ExitCode {
    match Supervisor::new().and_then(Supervisor::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&format!("cannot supervise processes: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// The agent's standard error is the only place that is left for this.
fn report(message: &str) {
    let _nowhere_else = writeln!(io::stderr(), "process supervisor: {message}");
}

struct Supervisor {
    signals: SignalFd,
    requests: Requests,
    events: Events,
    table: Table,
    buffer: Vec<u8>,
    /// The agent is there and may ask for more.
    is_asked: bool,
    /// Everything is to end, and then this process.
    is_ending: bool,
}

impl Supervisor {
    fn new() -> io::Result<Self> {
        close_inherited_files()?;
        // Out of the terminal's reach: Ctrl-C is the agent's to handle. Fails harmlessly for the leader of a session.
        let _is_leader = setsid();
        set_child_subreaper(true)?;
        let own = Process::find(std::process::id() as i32)
            .ok_or_else(|| io::Error::other("expected a readable /proc, found no own entry in it"))?;
        let marks = Marks::of_supervisor(std::process::id(), own.started);
        let table = Table::new(own.id, marks)?;
        let signals = take_signals()?;
        let mut events = Events::new()?;
        events.push(&Event::Ready { marks });
        Ok(Self {
            signals,
            requests: Requests::default(),
            events,
            table,
            buffer: vec![0; CHUNK_BYTES],
            is_asked: true,
            is_ending: false,
        })
    }

    fn run(mut self) -> io::Result<()> {
        loop {
            self.table.reap(&mut self.events);
            self.table.settle(monotonic::now(), self.is_ending, &mut self.events);
            if !self.events.flush() {
                self.agent_is_gone();
            }
            if self.is_ending && self.table.is_empty() {
                return Ok(());
            }
            self.wait();
        }
    }

    /// Sleeps until there is something to do, and does what does not wait for `settle`.
    fn wait(&mut self) {
        let ready = match self.poll() {
            Ok(ready) => ready,
            Err(Errno::EINTR) => return,
            Err(error) => {
                // Never seen; and the instances must not be left alone because of it.
                report(&format!("cannot wait for anything, so all instances end: {error}"));
                self.end();
                std::thread::sleep(Duration::from_millis(20));
                return;
            }
        };
        if ready.signal {
            self.take_signals();
        }
        for instance in ready.logs {
            self.table.copy_log(instance, &mut self.buffer, &mut self.events);
        }
        if ready.request {
            self.take_requests();
        }
    }

    fn poll(&self) -> Result<Ready, Errno> {
        let stdin = io::stdin();
        let mut files = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        if self.is_asked {
            files.push(PollFd::new(stdin.as_fd(), PollFlags::POLLIN));
        }
        let (instances, logs): (Vec<_>, Vec<_>) = self.table.logs().unzip();
        files.extend(logs.into_iter().map(|log| PollFd::new(log, PollFlags::POLLIN)));
        poll(&mut files, timeout(self.table.next_deadline(self.is_ending)))?;
        let mut ready = files.iter().map(|file| file.any().unwrap_or(true));
        Ok(Ready {
            signal: ready.next().unwrap_or(true),
            request: self.is_asked && ready.next().unwrap_or(true),
            logs: instances.into_iter().zip(ready).filter_map(|(id, is_ready)| is_ready.then_some(id)).collect(),
        })
    }

    fn take_signals(&mut self) {
        while let Ok(Some(signal)) = self.signals.read_signal() {
            // SIGCHLD has done its work by waking this thread.
            if signal.ssi_signo != libc::SIGCHLD as u32 {
                self.end();
            }
        }
    }

    fn take_requests(&mut self) {
        match self.requests.fill(&mut self.buffer) {
            Ok(0) => return self.agent_is_gone(),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return,
            Err(error) => {
                report(&format!("cannot read the agent's requests, so all instances end: {error}"));
                return self.agent_is_gone();
            }
        }
        while let Some(request) = self.requests.next() {
            match request {
                Ok(request) => self.grant(request),
                Err(error) => {
                    report(&format!("expected a request of this version's agent, so all instances end: {error}"));
                    return self.agent_is_gone();
                }
            }
        }
    }

    fn grant(&mut self, request: Request) {
        let now = monotonic::now();
        match request {
            Request::Start { request, instance, launch } => {
                let started = self.table.start(request, instance, launch, self.is_ending);
                self.events.push(&match started {
                    Ok(()) => Event::Started { request },
                    Err(refusal) => Event::Refused { request, refusal },
                });
            }
            Request::Stop { request, instance, grace_ms } => {
                if !self.table.stop(request, instance, now.saturating_add(Duration::from_millis(grace_ms))) {
                    self.events.push(&Event::Stopped { request });
                }
            }
            Request::Exec { request, instance, command, timeout_ms } => {
                let deadline = now.saturating_add(Duration::from_millis(timeout_ms));
                if let Err(refusal) = self.table.exec(request, instance, &command, deadline) {
                    self.events.push(&Event::Refused { request, refusal });
                }
            }
        }
    }

    fn agent_is_gone(&mut self) {
        self.is_asked = false;
        self.end();
    }

    fn end(&mut self) {
        if !self.is_ending {
            self.is_ending = true;
            self.table.end_all(monotonic::now());
        }
    }
}

/// What `poll` found.
struct Ready {
    signal: bool,
    request: bool,
    logs: Vec<cress_domain::InstanceId>,
}

/// Rounded up, so that a deadline has passed when the sleep is over.
fn timeout(deadline: Option<Duration>) -> PollTimeout {
    let Some(deadline) = deadline else { return PollTimeout::NONE };
    let milliseconds = deadline.saturating_sub(monotonic::now()).as_micros().div_ceil(1_000);
    PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX)
}

/// Closes what the agent was started with and has passed on unknowingly, such as a shell's open files, so that no instance
/// gets it. To be called before this process has opened anything itself.
fn close_inherited_files() -> io::Result<()> {
    let entries = fs::read_dir("/proc/self/fd")?.flatten();
    let files: Vec<RawFd> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for file in files.into_iter().filter(|file| *file > 2) {
        // The directory itself was among them, and is closed.
        let _closed = close(file);
    }
    Ok(())
}

/// Has these signals arrive in a file rather than end this process. Instances do not inherit that.
fn take_signals() -> io::Result<SignalFd> {
    let signals: SigSet = [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP].into_iter().collect();
    signals.thread_block()?;
    Ok(SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
}
