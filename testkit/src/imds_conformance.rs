// SPDX-License-Identifier: Apache-2.0
//! What an instance metadata service must answer to whom, as bytes on a socket. Point it at any of them: it needs an
//! address and nothing else, and it changes nothing (it never restarts the instance and never sets its deletion cost).
//!
//! Each case opens a connection, sends what it has to send in one piece, and reads one answer. Beyond the case's own
//! expectation every answer must be well formed: see [`Answer::faults`].

mod answer;
mod cases;

use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

pub use answer::Answer;
pub use cases::{FORWARDED_HEADERS, METHODS, PATHS, cases, slow_cases};

/// The metadata service to be checked.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where it listens; also what its `Host` is.
    pub address: SocketAddr,
    /// How long one answer may take. More than the service's own limits for slow callers.
    pub deadline: Duration,
    /// Which `code` members are compared.
    pub codes: Codes,
}

/// Which `code` members of problems are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codes {
    /// Those of cress.
    Cress,
    /// None: only the status counts.
    Any,
}

/// One request and the answer that it must get.
#[derive(Debug, Clone)]
pub struct Case {
    /// What is tried, in words.
    pub name: String,
    /// What is sent.
    pub request: Vec<u8>,
    /// What becomes of the sending side after that.
    pub then: Then,
    /// The statuses that are right.
    pub status: &'static [u16],
    /// The problem's code.
    pub code: Option<&'static str>,
}

/// What becomes of the sending side after the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It stays open: what is missing stays missing.
    Wait,
    /// It is closed, the receiving side is not.
    CloseSending,
}

impl Target {
    /// A cress metadata service with its default limits.
    #[must_use]
    pub const fn cress(address: SocketAddr) -> Self {
        Self { address, deadline: Duration::from_secs(20), codes: Codes::Cress }
    }

    /// A connection to it.
    ///
    /// # Errors
    /// What the system says.
    pub fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&self.address, self.deadline)?;
        stream.set_read_timeout(Some(self.deadline))?;
        stream.set_write_timeout(Some(self.deadline))?;
        Ok(stream)
    }

    /// Sends bytes on a new connection and reads one answer to them.
    ///
    /// # Errors
    /// The connection failed, or what came is no answer.
    pub fn ask(&self, request: &[u8]) -> io::Result<Answer> {
        let mut stream = self.connect()?;
        // A service may refuse what it has not read to its end: the answer counts, not that all of it was taken.
        let _taken_or_not = stream.write_all(request);
        Answer::read(&mut stream, Answer::is_without_body(request))
    }

    /// A well-formed request: `METHOD path`, with the headers that every request needs and these.
    #[must_use]
    pub fn request(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Vec<u8> {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nMetadata: true\r\n", self.address);
        for header in headers {
            text.push_str(header);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        text.push_str(body);
        text.into_bytes()
    }

    /// Runs one case.
    ///
    /// # Errors
    /// What was wrong, in words.
    pub fn check(&self, case: &Case) -> Result<(), String> {
        let wrong = |what: String| Err(format!("{}: {what}", case.name));
        let answer = match self.answer(case) {
            Ok(answer) => answer,
            Err(error) => return wrong(format!("expected {:?}, got no answer: {error}", case.status)),
        };
        if !case.status.contains(&answer.status) {
            return wrong(format!("expected {:?}, got {answer}", case.status));
        }
        let code = answer.code();
        if self.codes == Codes::Cress && !Answer::is_without_body(&case.request) && code.as_deref() != case.code {
            return wrong(format!("expected the code {:?}, got {answer}", case.code));
        }
        match answer.faults(Answer::is_without_body(&case.request)).as_slice() {
            [] => Ok(()),
            faults => wrong(format!("{} in {answer}", faults.join(", "))),
        }
    }

    fn answer(&self, case: &Case) -> io::Result<Answer> {
        let mut stream = self.connect()?;
        let _taken_or_not = stream.write_all(&case.request);
        if case.then == Then::CloseSending {
            stream.shutdown(Shutdown::Write)?;
        }
        Answer::read(&mut stream, Answer::is_without_body(&case.request))
    }

    /// Runs cases, some at once, and lists what was wrong.
    #[must_use]
    pub fn failures(&self, cases: &[Case]) -> Vec<String> {
        const AT_ONCE: usize = 16;
        let part = cases.len().div_ceil(AT_ONCE).max(1);
        std::thread::scope(|scope| {
            let threads: Vec<_> = cases
                .chunks(part)
                .map(|part| scope.spawn(|| part.iter().filter_map(|case| self.check(case).err()).collect::<Vec<_>>()))
                .collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap_or_else(|_| vec!["a check ended early".to_owned()]))
                .collect()
        })
    }
}
