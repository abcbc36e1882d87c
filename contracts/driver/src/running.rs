// SPDX-License-Identifier: Apache-2.0
//! The end of a run, told once.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The command exited with this code; 0 is success. Runtimes that tell no signals report 128 + the signal's number.
    Code(i32),
    /// This signal ended the command.
    Signal(i32),
    /// The run is over, but nobody saw how: the driver's own helper was killed.
    Lost,
}

impl Exit {
    /// Whether the command exited 0.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Code(0))
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(formatter, "exit code {code}"),
            Self::Signal(signal) => write!(formatter, "signal {signal}"),
            Self::Lost => formatter.write_str("an unknown end"),
        }
    }
}

/// A run under way: a future that yields its end. Dropping it ends nothing.
#[derive(Debug)]
#[must_use = "the end of the run is told here only"]
pub struct Running(oneshot::Receiver<Exit>);

/// The driver's side of a [`Running`]. Dropped unused it tells [`Exit::Lost`].
#[derive(Debug)]
pub struct ExitSender(oneshot::Sender<Exit>);

impl Running {
    /// A run that has just begun.
    pub fn begin() -> (ExitSender, Self) {
        let (sender, receiver) = oneshot::channel();
        (ExitSender(sender), Self(receiver))
    }
}

impl ExitSender {
    /// Tells the end of the run; whether anyone listens does not matter.
    pub fn send(self, exit: Exit) {
        let _nobody_listens = self.0.send(exit);
    }
}

impl Future for Running {
    type Output = Exit;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Exit> {
        Pin::new(&mut self.0).poll(context).map(|told| told.unwrap_or(Exit::Lost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_is_told_even_if_nobody_saw_it() {
        let (sender, running) = Running::begin();
        sender.send(Exit::Code(3));
        assert_eq!(running.await, Exit::Code(3));
        let (sender, running) = Running::begin();
        drop(sender);
        assert_eq!(running.await, Exit::Lost);
    }
}
