// SPDX-License-Identifier: Apache-2.0
//! Whatever bytes an instance sends to its metadata service, over a real connection: it is answered or closed, and no token goes
//! out unless the request may have one.
#![no_main]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use cress_api::imds::Status;
use cress_domain::Audience;
use cress_node::imds::{Backend, BackendError, Limits, Server, TokenAnswer, TokenBody};
use libfuzzer_sys::fuzz_target;
use tokio_util::sync::CancellationToken;

const TOKEN: &str = "aaa.bbb.ccc";
/// Stands for the service's address in an input, which cannot know the port.
const HOST: &[u8] = b"HOST";
const PATIENCE: Duration = Duration::from_secs(5);

struct Always;

impl Backend for Always {
    fn token(&self, _audience: Option<&Audience>) -> TokenAnswer {
        TokenAnswer::Ready(TokenBody::new(TOKEN))
    }

    async fn settled_token(&self, audience: Option<&Audience>) -> TokenAnswer {
        self.token(audience)
    }

    fn status(&self) -> Result<Status, BackendError> {
        Ok(Status { ready: true, started: true })
    }

    async fn restart(&self) -> Result<(), BackendError> {
        Ok(())
    }

    fn deletion_cost(&self) -> Result<i32, BackendError> {
        Ok(0)
    }

    async fn set_deletion_cost(&self, _cost: i32) -> Result<(), BackendError> {
        Ok(())
    }
}

static ADDRESS: LazyLock<SocketAddr> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let plenty = NonZeroU32::new(1_000_000).expect("a number");
            let limits = Limits {
                connections_per_second_max: plenty,
                requests_per_second_max: plenty,
                requests_burst_max: plenty,
                ..Limits::default()
            };
            let server = Server::new(Arc::new(Always), listener, limits).expect("a service");
            server.serve(CancellationToken::new()).await;
        });
    });
    address
});

fuzz_target!(|data: &[u8]| {
    let request = with_host(data);
    let mut stream = TcpStream::connect(*ADDRESS).expect("the service accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    // It may have heard enough and closed.
    let _ = stream.write_all(&request);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => check(&request, &answer),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("no end within {PATIENCE:?}: {error}"),
    }
});

fn with_host(data: &[u8]) -> Vec<u8> {
    let address = ADDRESS.to_string();
    let mut request = Vec::with_capacity(data.len());
    let mut rest = data;
    while let Some(at) = rest.windows(HOST.len()).position(|window| window == HOST) {
        request.extend_from_slice(&rest[..at]);
        request.extend_from_slice(address.as_bytes());
        rest = &rest[at + HOST.len()..];
    }
    request.extend_from_slice(rest);
    request
}

fn check(request: &[u8], answer: &[u8]) {
    if answer.is_empty() {
        return;
    }
    assert!(answer.starts_with(b"HTTP/1."), "an answer that is none: {:?}", String::from_utf8_lossy(answer));
    if has(answer, TOKEN.as_bytes()) {
        assert!(has(request, b"metadata"), "a token without the header that asks for it");
        assert!(has(request, ADDRESS.to_string().as_bytes()), "a token to one who does not name the service's address");
    }
    assert!(!has(answer, b"access-control-allow") && !has(answer, b"\nlocation:"), "an answer for browsers, or a redirect");
}

/// Whether it is in there, whatever its case.
fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}
