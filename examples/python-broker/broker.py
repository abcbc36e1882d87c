# SPDX-License-Identifier: Apache-2.0
"""Credentials from the broker, kept good while they are used. Nothing but the standard library.

A credential is renewed when half of its life is over. When it can be renewed no more, the next one is asked for while the last one is
still good. Nothing is ever written to a file or a log.
"""

import json
import os
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from datetime import datetime, timezone

IMDS_URL = os.environ.get("IMDS_URL", "http://169.254.169.254")
TIMEOUT_SECONDS = 10
# Longer than that and a credential of a few minutes would be over before it is tried again.
RETRY_SECONDS_MAX = 15

# An empty ProxyHandler: no proxy, whatever the environment says. Requests to the metadata service never leave the node.
_to_metadata = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Refused(Exception):
    """The broker will not do it; asking again changes nothing."""


class Broker:
    """One broker, asked with this instance's token. `audience` None takes the organization's token, which not every broker accepts."""

    def __init__(self, url: str, audience: str | None, ca_file: str | None = None) -> None:
        self._url = url.rstrip("/")
        self._audience = audience
        # A redirect could carry the token to another host.
        handlers: list = [_NoRedirect]
        if url.startswith("https://"):
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca_file)))
        elif urllib.parse.urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost"):
            handlers.append(urllib.request.ProxyHandler({}))
        else:
            raise ValueError("a token must not cross a network in the clear: use https")
        self._opener = urllib.request.build_opener(*handlers)

    def issue(self, name: str, ttl_seconds: int | None = None, **parameters: str) -> dict:
        """A credential: `lease_id`, `expires_at`, `renewable` and `credential`. Safe against an answer that got lost."""
        body = {"parameters": parameters} | ({} if ttl_seconds is None else {"ttl_seconds": ttl_seconds})
        return self._ask("POST", f"/v1/credentials/{name}", body, {"Idempotency-Key": str(uuid.uuid4())})

    def renew(self, lease_id: str) -> dict:
        """Lets a lease live on: `expires_at` and `renewable`."""
        return self._ask("POST", f"/v1/leases/{lease_id}/renew", {}, {})

    def end(self, lease_id: str) -> None:
        """Ends a lease now."""
        self._ask("DELETE", f"/v1/leases/{lease_id}", None, {})

    def _ask(self, method: str, path: str, body: dict | None, headers: dict, attempts: int = 4) -> dict:
        for attempt in range(1, attempts + 1):
            try:
                return self._ask_once(method, path, body, headers)
            except urllib.error.HTTPError as error:
                # 401: the token ran out on the way. 409: the same request is being answered. The rest is passing.
                passing = error.code in (401, 409, 429, 500, 502, 503, 504)
                if not passing or attempt == attempts:
                    raise Refused(f"{error.code}: {error.read().decode(errors='replace')}") from None
                time.sleep(min(float(error.headers.get("Retry-After", attempt)), 5))
            except OSError:
                if attempt == attempts:
                    raise
                time.sleep(attempt)
        raise AssertionError("not reached")

    def _ask_once(self, method: str, path: str, body: dict | None, headers: dict) -> dict:
        data = None if body is None else json.dumps(body).encode()
        headers = headers | {"Authorization": f"Bearer {self._token()}", "Content-Type": "application/json"}
        request = urllib.request.Request(self._url + path, data=data, headers=headers, method=method)
        with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            text = answer.read()
            return json.loads(text) if text else {}

    def _token(self) -> str:
        query = "" if self._audience is None else "?" + urllib.parse.urlencode({"audience": self._audience})
        request = urllib.request.Request(f"{IMDS_URL}/v1/token{query}", headers={"Metadata": "true"})
        with _to_metadata.open(request, timeout=TIMEOUT_SECONDS) as answer:
            return json.load(answer)["jwt"]


class Lease:
    """A credential that stays good: renewed, and replaced when it can live no longer. To be closed when it is needed no more."""

    def __init__(self, broker: Broker, name: str, ttl_seconds: int | None = None, **parameters: str) -> None:
        self._broker, self._name, self._ttl, self._parameters = broker, name, ttl_seconds, parameters
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._take(broker.issue(name, ttl_seconds, **parameters))
        self._keeper = threading.Thread(target=self._keep, name=f"keep {name}", daemon=True)
        self._keeper.start()

    def fields(self) -> dict:
        """What to log in with now. Ask for each new connection: it may have been replaced."""
        with self._lock:
            return dict(self._issued["credential"])

    def replace(self, refused: dict | None = None) -> None:
        """Asks for another credential, such as after a login was refused: an operator may have revoked the lease. `refused` is what was
        tried, so that of many connections that are refused at once only one asks."""
        with self._lock:
            if refused is not None and refused != self._issued["credential"]:
                return
            self._take(self._broker.issue(self._name, self._ttl, **self._parameters))

    def close(self) -> None:
        """Ends the lease: whatever still uses it is cut off, if the target can do so."""
        self._stop.set()
        with self._lock:
            self._broker.end(self._issued["lease_id"])

    def _take(self, issued: dict) -> None:
        self._issued = issued
        self._plan(issued)

    def _plan(self, lease: dict) -> None:
        left = (datetime.fromisoformat(lease["expires_at"]) - datetime.now(timezone.utc)).total_seconds()
        # The monotonic clock from here on: the wall clock of a node may be set in between.
        self._due = time.monotonic() + max(left / 2, 0.1)
        self._renewable = lease["renewable"]

    def _keep(self) -> None:
        pause = 1.0
        while not self._stop.wait(max(self._due - time.monotonic(), 0)):
            try:
                with self._lock:
                    self._go_on()
                pause = 1.0
            except Exception as error:  # Whatever it is, the credential is good for a while, and trying again is all there is to do.
                print(f"credential {self._name}: {error}; again in {pause:.0f} s", flush=True)
                if self._stop.wait(pause):
                    return
                pause = min(2 * pause, RETRY_SECONDS_MAX)

    def _go_on(self) -> None:
        if self._stop.is_set():
            return
        if self._renewable:
            try:
                return self._plan(self._broker.renew(self._issued["lease_id"]))
            except Refused:
                pass  # Revoked, or at the end of what it may live.
        # The former lease ends by itself: connections that use it have until then.
        self._take(self._broker.issue(self._name, self._ttl, **self._parameters))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def from_environment(name: str) -> Lease:
    """A lease by what the environment says: `BROKER_URL`, `BROKER_AUDIENCE` (its URL by default), `BROKER_CA`, `TTL_SECONDS`."""
    url = os.environ["BROKER_URL"]
    broker = Broker(url, os.environ.get("BROKER_AUDIENCE", url), os.environ.get("BROKER_CA"))
    ttl = os.environ.get("TTL_SECONDS")
    return Lease(broker, name, None if ttl is None else int(ttl))
