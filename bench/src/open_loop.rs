// SPDX-License-Identifier: Apache-2.0
//! Load at a fixed rate that does not wait for answers: each request has a moment at which it is due, and its latency
//! counts from then, so that a server that stalls is charged for all that it keeps waiting.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use hdrhistogram::Histogram;

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Requests answered in a second.
    pub(crate) rate: f64,
    /// Latency in microseconds.
    pub(crate) latency: Histogram<u64>,
}

struct Connection {
    stream: TcpStream,
    due: Option<Instant>,
    received: Vec<u8>,
}

/// Sends `request` at this rate over this many connections, from one thread that never sleeps.
pub(crate) fn run(
    address: SocketAddr,
    request: &[u8],
    connections: usize,
    rate: u32,
    time: Duration,
) -> anyhow::Result<Outcome> {
    let mut connections = (0..connections).map(|_| Connection::open(address)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut idle: VecDeque<usize> = (0..connections.len()).collect();
    let mut latency = Histogram::new(3)?;
    let interval = Duration::from_secs(1) / rate;
    let started = Instant::now();
    let mut next = started;
    let mut busy: Vec<usize> = Vec::new();
    loop {
        let now = Instant::now();
        while next <= now && next < started + time {
            let Some(index) = idle.pop_front() else { break };
            connections.get_mut(index).context("a connection")?.send(request, next)?;
            busy.push(index);
            next += interval;
        }
        let mut answered = Vec::new();
        for (place, &index) in busy.iter().enumerate() {
            if let Some(due) = connections.get_mut(index).context("a connection")?.receive()? {
                latency.record(u64::try_from(due.elapsed().as_micros())?)?;
                answered.push(place);
            }
        }
        for place in answered.into_iter().rev() {
            idle.push_back(busy.swap_remove(place));
        }
        if next >= started + time && busy.is_empty() {
            break;
        }
        ensure!(started.elapsed() < time * 4, "expected the server to keep up with {rate} requests/s");
    }
    #[expect(clippy::cast_precision_loss, reason = "figures of a benchmark have three digits")]
    let rate = latency.len() as f64 / started.elapsed().as_secs_f64();
    Ok(Outcome { rate, latency })
}

impl Connection {
    fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, due: None, received: Vec::with_capacity(4_096) })
    }

    fn send(&mut self, request: &[u8], due: Instant) -> anyhow::Result<()> {
        self.stream.write_all(request)?;
        self.due = Some(due);
        Ok(())
    }

    /// The moment that the answered request was due at, if its answer is complete.
    fn receive(&mut self) -> anyhow::Result<Option<Instant>> {
        let mut buffer = [0; 4_096];
        match self.stream.read(&mut buffer) {
            Ok(0) => bail!("the server closed a connection"),
            Ok(count) => self.received.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        if !is_complete(&self.received)? {
            return Ok(None);
        }
        self.received.clear();
        Ok(self.due.take())
    }
}

fn is_complete(received: &[u8]) -> anyhow::Result<bool> {
    let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(false) };
    let head = std::str::from_utf8(received.get(..end).unwrap_or_default())?;
    ensure!(head.starts_with("HTTP/1.1 200"), "expected status 200, got {:?}", head.lines().next());
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .context("a content length")?;
    Ok(received.len() >= end + 4 + length.1.trim().parse::<usize>()?)
}
