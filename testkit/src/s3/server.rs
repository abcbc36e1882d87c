// SPDX-License-Identifier: Apache-2.0
//! The server: who is let in, and what is done then.

use std::collections::BTreeMap;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cress_domain::Clock;

use super::http::{Request, Response, percent_decoded};
use super::session::{Action, Session};
use super::signature::Claimed;

/// How far the clocks of client and server may be apart, in seconds.
const SKEW_MAX: i64 = 900;

/// The account that it serves, with the parent keys that are good.
#[derive(Debug, Clone, Default)]
pub struct R2Account {
    /// Its id.
    pub id: String,
    /// Secret access keys of parents, by id.
    pub parents: BTreeMap<String, String>,
}

/// A running server. Its threads end with the process.
pub struct S3Server {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    account: R2Account,
    /// By bucket and key.
    objects: BTreeMap<(String, String), Vec<u8>>,
}

impl S3Server {
    /// Serves this account on a port of 127.0.0.1.
    ///
    /// # Panics
    /// If no port is left.
    #[must_use]
    pub fn start(account: R2Account, clock: Arc<dyn Clock>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let state = Mutex::new(State { account, objects: BTreeMap::new() });
        let shared = Arc::new(Shared { clock, state });
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&own);
                std::thread::spawn(move || shared.serve(client));
            }
        });
        Self { port, shared }
    }

    /// Where it listens.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Revokes a parent key, as an operator does in Cloudflare's dashboard.
    pub fn revoke_parent(&self, access_key_id: &str) {
        self.shared.state().account.parents.remove(access_key_id);
    }

    /// Puts an object there, past all rules.
    pub fn put(&self, bucket: &str, key: &str, content: &[u8]) {
        self.shared.state().objects.insert((bucket.to_owned(), key.to_owned()), content.to_vec());
    }

    /// An object, past all rules.
    #[must_use]
    pub fn object(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        self.shared.state().objects.get(&(bucket.to_owned(), key.to_owned())).cloned()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let Some(request) = Request::read(&client)? else { return Ok(()) };
        self.answer(&request).write(&mut client, &request.method)
    }

    fn answer(&self, request: &Request) -> Response {
        let session = match self.admitted(request) {
            Ok(session) => session,
            Err(code) => return Response::error(403, code),
        };
        let path = percent_decoded(&request.path).and_then(|path| String::from_utf8(path).ok()).unwrap_or_default();
        let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
        let prefix = request.parameter("prefix").unwrap_or_default();
        let action = match (request.method.as_str(), key.is_empty()) {
            ("GET" | "HEAD", false) => Action::ReadObject(key),
            ("PUT" | "DELETE", false) => Action::WriteObject(key),
            ("GET", true) if request.parameter("location").is_none() => Action::List(&prefix),
            ("GET" | "HEAD", true) => Action::ReadBucket,
            _ => Action::WriteBucket,
        };
        if !session.allows(bucket, &action) {
            return Response::error(403, "AccessDenied");
        }
        self.done(bucket, &action, request)
    }

    /// Whoever signed with what a valid session token gives, at about this time.
    fn admitted(&self, request: &Request) -> Result<Session, &'static str> {
        let now = self.clock.now();
        let claimed = Claimed::of(request).ok_or("AccessDenied")?;
        let signed_at = claimed.signed_at().ok_or("AccessDenied")?.unix_seconds();
        let age = now.unix_seconds() - signed_at;
        let is_current = match claimed.expires {
            Some(expires) => (-SKEW_MAX..expires).contains(&age),
            None => (-SKEW_MAX..=SKEW_MAX).contains(&age),
        };
        if !is_current {
            return Err("RequestTimeTooSkewed");
        }
        let account = self.state().account.clone();
        let parent = account.parents.get(&claimed.access_key_id).ok_or("InvalidAccessKeyId")?;
        let token = claimed.session_token.as_deref().ok_or("AccessDenied")?;
        let session = Session::open(token, &account.id, &claimed.access_key_id, parent, now).ok_or("InvalidToken")?;
        if claimed.is_of(request, &session.secret_access_key) { Ok(session) } else { Err("SignatureDoesNotMatch") }
    }

    fn done(&self, bucket: &str, action: &Action<'_>, request: &Request) -> Response {
        let mut state = self.state();
        let at = |key: &str| (bucket.to_owned(), key.to_owned());
        match action {
            Action::ReadObject(key) => match state.objects.get(&at(key)) {
                Some(content) => Response::new(200, content.clone()),
                None => Response::error(404, "NoSuchKey"),
            },
            Action::WriteObject(key) if request.method == "PUT" => {
                state.objects.insert(at(key), request.body.clone());
                Response::new(200, "")
            }
            Action::WriteObject(key) => {
                state.objects.remove(&at(key));
                Response::new(204, "")
            }
            Action::List(prefix) => Response::new(200, listing(&state, bucket, prefix)),
            Action::ReadBucket => Response::new(200, "<LocationConstraint>auto</LocationConstraint>"),
            Action::WriteBucket => Response::new(200, ""),
        }
    }
}

fn listing(state: &State, bucket: &str, prefix: &str) -> String {
    let listed = state.objects.keys().filter(|(own, key)| own == bucket && key.starts_with(prefix));
    let contents: String =
        listed.map(|(_, key)| format!("<Contents><Key>{key}</Key><Size>1</Size></Contents>")).collect();
    format!(
        "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>{bucket}</Name>\
         <Prefix>{prefix}</Prefix><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"
    )
}
