// SPDX-License-Identifier: Apache-2.0
//! The agent's end of the conversation with its supervisor, and what follows when that is over.

use std::collections::HashMap;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cress_driver::{Exit, ExitSender};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot, watch};

use crate::leftovers::{self, Note};
use crate::mark::Marks;
use crate::protocol::{EVENT_BYTES_MAX, End, Event, REQUEST_BYTES_MAX, Refusal, Request, line};
use crate::{ProcessDriverConfig, SupervisorCommand, log_files};

/// Requests on their way; more wait.
const REQUESTS_MAX: usize = 64;
const GREETING_SECONDS_MAX: u64 = 10;

/// A supervisor and the conversation with it. Dropped, the supervisor ends all instances, and itself.
#[derive(Debug)]
pub(crate) struct Link {
    /// None after `close`.
    requests: Mutex<Option<mpsc::Sender<Vec<u8>>>>,
    waiting: Arc<Mutex<Waiting>>,
    is_closed: watch::Receiver<bool>,
    last_request: AtomicU64,
    note: Note,
}

/// The supervisor's answer.
#[derive(Debug)]
pub(crate) enum Reply {
    Started,
    Stopped,
    ExecEnded(Option<End>),
    Refused(Refusal),
    /// The supervisor is gone, and as a rule all instances with it.
    Lost {
        is_all_gone: bool,
    },
}

/// Who is to be told what.
#[derive(Debug, Default)]
struct Waiting {
    requests: HashMap<u64, oneshot::Sender<Reply>>,
    runs: HashMap<u64, ExitSender>,
    /// Once the supervisor is gone: whether nothing of its instances is left.
    outcome: Option<bool>,
}

impl Reply {
    /// The refusal that this is where something else was hoped for.
    pub(crate) fn unexpected(self) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal,
            Self::Lost { is_all_gone: true } => Refusal::temporary("the process supervisor has just ended; try again"),
            Self::Lost { is_all_gone: false } => {
                Refusal::temporary("the process supervisor was killed, and some processes of its instances cannot be")
            }
            other => Refusal::temporary(format!("expected another answer of the process supervisor, got {other:?}")),
        }
    }
}

impl Link {
    /// Starts a supervisor and waits for its greeting.
    pub(crate) async fn open(config: &ProcessDriverConfig) -> Result<Self, Refusal> {
        make_directories(&config.directory)?;
        let (mut child, stdin, stdout) = spawn(&config.supervisor)?;
        let mut events = Events(BufReader::new(stdout));
        let greeting = tokio::time::timeout(Duration::from_secs(GREETING_SECONDS_MAX), events.next()).await;
        let Ok(Ok(Some(Event::Ready { marks }))) = greeting else {
            let _ended = child.start_kill();
            let program = config.supervisor.program.display();
            return Err(Refusal::permanent(format!(
                "expected the process supervisor's greeting from {program} {:?}, got {}; it must be the agent's own program",
                config.supervisor.arguments,
                describe(greeting),
            )));
        };
        let note = Note::new(child.id().unwrap_or_default(), marks);
        let (requests, to_write) = mpsc::channel(REQUESTS_MAX);
        let (closing, is_closed) = watch::channel(false);
        let waiting = Arc::new(Mutex::new(Waiting::default()));
        tokio::spawn(write(to_write, stdin));
        tokio::spawn(follow(events, child, Arc::clone(&waiting), marks, closing));
        Ok(Self { requests: Mutex::new(Some(requests)), waiting, is_closed, last_request: AtomicU64::new(0), note })
    }

    /// What the next life of the agent must know to clean up.
    pub(crate) fn note(&self) -> Note {
        self.note.clone()
    }

    pub(crate) fn is_closed(&self) -> bool {
        *self.is_closed.borrow()
    }

    /// Asks the supervisor. With a start comes whom to tell the end of the run.
    pub(crate) async fn ask(&self, request: impl FnOnce(u64) -> Request, run: Option<ExitSender>) -> Reply {
        let number = self.last_request.fetch_add(1, Ordering::Relaxed) + 1;
        let line = match line(&request(number)) {
            Ok(line) if line.len() <= REQUEST_BYTES_MAX => line,
            _ => {
                return Reply::Refused(Refusal::permanent(format!(
                    "expected a command and an environment of at most {REQUEST_BYTES_MAX} bytes together, got more"
                )));
            }
        };
        let requests = lock(&self.requests).clone();
        // Without room for it nothing has been asked, so nothing is registered before.
        let Some(room) = (match requests {
            Some(requests) => requests.reserve_owned().await.ok(),
            None => None,
        }) else {
            return self.lost().await;
        };
        let (reply, answer) = oneshot::channel();
        if let Some(is_all_gone) = register(&self.waiting, number, reply, run) {
            return Reply::Lost { is_all_gone };
        }
        room.send(line);
        match answer.await {
            Ok(reply) => reply,
            Err(_gone) => self.lost().await,
        }
    }

    /// Has the supervisor end everything, and waits until it has.
    pub(crate) async fn close(&self) {
        lock(&self.requests).take();
        self.lost().await;
    }

    async fn lost(&self) -> Reply {
        let mut is_closed = self.is_closed.clone();
        let _runtime_ends = is_closed.wait_for(|is_closed| *is_closed).await;
        Reply::Lost { is_all_gone: lock(&self.waiting).outcome.unwrap_or(false) }
    }
}

/// Registers whom to tell; if it is too late for that, returns whether all is gone.
fn register(
    waiting: &Mutex<Waiting>,
    number: u64,
    reply: oneshot::Sender<Reply>,
    run: Option<ExitSender>,
) -> Option<bool> {
    let mut waiting = lock(waiting);
    if waiting.outcome.is_none() {
        waiting.requests.insert(number, reply);
        waiting.runs.extend(run.map(|run| (number, run)));
    }
    waiting.outcome
}

impl Waiting {
    fn take(&mut self, event: Event) {
        match event {
            Event::Started { request } => self.reply(request, Reply::Started),
            Event::Stopped { request } => self.reply(request, Reply::Stopped),
            Event::ExecEnded { request, end } => self.reply(request, Reply::ExecEnded(end)),
            Event::Refused { request, refusal } => {
                self.runs.remove(&request);
                self.reply(request, Reply::Refused(refusal));
            }
            Event::Ended { run, end } => {
                if let Some(run) = self.runs.remove(&run) {
                    run.send(end.into());
                }
            }
            Event::Warning { instance, message } => {
                tracing::warn!(instance_id = %instance, reason = message, "the process supervisor warns");
            }
            Event::Ready { .. } => tracing::warn!("the process supervisor greets twice"),
        }
    }

    fn reply(&mut self, request: u64, reply: Reply) {
        if let Some(waiting) = self.requests.remove(&request) {
            let _nobody_waits = waiting.send(reply);
        }
    }

    fn close(&mut self, is_all_gone: bool) {
        self.outcome = Some(is_all_gone);
        for (_, run) in self.runs.drain() {
            run.send(Exit::Lost);
        }
        for (_, waiting) in self.requests.drain() {
            let _nobody_waits = waiting.send(Reply::Lost { is_all_gone });
        }
    }
}

fn spawn(supervisor: &SupervisorCommand) -> Result<(Child, ChildStdin, ChildStdout), Refusal> {
    // No environment at all: the agent's may hold secrets, and /proc/<pid>/environ shows it.
    let child = Command::new(&supervisor.program)
        .args(&supervisor.arguments)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = child.map_err(|error| {
        Refusal::permanent(format!("cannot start the process supervisor {}: {error}", supervisor.program.display()))
    })?;
    match (child.stdin.take(), child.stdout.take()) {
        (Some(stdin), Some(stdout)) => Ok((child, stdin, stdout)),
        _ => Err(Refusal::temporary("the process supervisor has no pipes; try again")),
    }
}

fn make_directories(directory: &Path) -> Result<(), Refusal> {
    for directory in [directory.to_owned(), log_files::directory(directory)] {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(|error| {
            Refusal::permanent(format!(
                "cannot make the directory {}: {error}; give the agent a data directory that it may write",
                directory.display()
            ))
        })?;
    }
    Ok(())
}

/// Closes the supervisor's input when no one can ask any more.
async fn write(mut requests: mpsc::Receiver<Vec<u8>>, mut stdin: ChildStdin) {
    while let Some(line) = requests.recv().await {
        // A supervisor that is gone is noticed by `follow`.
        if stdin.write_all(&line).await.is_err() {
            return;
        }
    }
}

/// Tells everyone what the supervisor tells, and at last that it is gone. It never waits for anything but the supervisor,
/// since the supervisor waits for it.
async fn follow(
    mut events: Events,
    mut child: Child,
    waiting: Arc<Mutex<Waiting>>,
    marks: Marks,
    closing: watch::Sender<bool>,
) {
    loop {
        match events.next().await {
            Ok(Some(event)) => lock(&waiting).take(event),
            Ok(None) => break,
            Err(problem) => {
                tracing::error!(reason = problem, "the process supervisor is not understood, and is killed");
                let _ended = child.start_kill();
                break;
            }
        }
    }
    let is_orderly = child.wait().await.is_ok_and(|status| status.success());
    let mut is_all_gone = true;
    if !is_orderly {
        tracing::error!("the process supervisor was killed, so its instances are");
        is_all_gone = tokio::task::spawn_blocking(move || leftovers::kill(marks)).await.unwrap_or(false);
    }
    lock(&waiting).close(is_all_gone);
    closing.send_replace(true);
}

struct Events(BufReader<ChildStdout>);

impl Events {
    /// The next event; none at the end.
    async fn next(&mut self) -> Result<Option<Event>, String> {
        let mut line = Vec::new();
        let limit = EVENT_BYTES_MAX as u64 + 1;
        (&mut self.0).take(limit).read_until(b'\n', &mut line).await.map_err(|error| error.to_string())?;
        if line.is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(&line).map(Some).map_err(|error| {
            let start: String = String::from_utf8_lossy(&line).chars().take(80).collect();
            format!("expected an event of at most {EVENT_BYTES_MAX} bytes, got {start:?}: {error}")
        })
    }
}

fn describe<E>(greeting: Result<Result<Option<Event>, String>, E>) -> String {
    match greeting {
        Err(_elapsed) => format!("nothing within {GREETING_SECONDS_MAX} s"),
        Ok(Err(problem)) => problem,
        Ok(Ok(None)) => "its end".to_owned(),
        Ok(Ok(Some(event))) => format!("{event:?}"),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
