// SPDX-License-Identifier: Apache-2.0
//! From an HTTP answer to a value or an error.

use std::error::Error;

use cress_api::Problem;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;

use crate::ClientError;

/// Whom a client talks to, for its errors.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) service: &'static str,
    pub(crate) address: String,
    pub(crate) remedy: &'static str,
    /// Longest answer that is read, in bytes.
    pub(crate) body_bytes_max: usize,
}

impl Target {
    /// Sends a request and returns the answer's body if it succeeded.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Vec<u8>, ClientError> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let body = self.body(response).await?;
        if status.is_success() { Ok(body) } else { Err(self.refused(status, &body)) }
    }

    /// As [`Self::send`], with the body read as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let body = self.send(request).await?;
        // serde_json's message may quote the body, which may hold a token; its position says enough.
        serde_json::from_slice(&body)
            .map_err(|error| self.unexpected(format!("unknown JSON at column {} of its body", error.column())))
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, ClientError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            if body.len().saturating_add(chunk.len()) > self.body_bytes_max {
                return Err(self.unexpected(format!("more than {} bytes", self.body_bytes_max)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn refused(&self, status: StatusCode, body: &[u8]) -> ClientError {
        match serde_json::from_slice::<Problem>(body) {
            Ok(problem) => ClientError::Refused(Box::new(problem)),
            Err(_) => self.unexpected(format!("status {status} without problem details")),
        }
    }

    pub(crate) fn unexpected(&self, reason: String) -> ClientError {
        ClientError::Unexpected { service: self.service, address: self.address.clone(), reason }
    }

    pub(crate) fn unreachable(&self, error: &reqwest::Error) -> ClientError {
        ClientError::Unreachable {
            service: self.service,
            address: self.address.clone(),
            reason: innermost(error),
            remedy: self.remedy,
        }
    }
}

/// The last cause says what happened; those before it say that something did.
fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
