# SPDX-License-Identifier: Apache-2.0
"""A worker that proves who it is.

It asks the metadata service for its token through SaladCloud's published SDK, keeps the token for two and a half minutes, and
sends it with the result of each job. The token is never written anywhere: not to a file, not to a log.
"""

import os
import signal
import sys
import threading
import time
from urllib.parse import urlsplit

import requests
from salad_cloud_imds_sdk import SaladCloudImdsSdk

# A token lives for 300 s and is at most 180 s old when the metadata service hands it out, unless the node is cut off: so it is
# good for 2 minutes at least, and a service that finds it expired all the same answers 401, upon which it is asked for again.
TOKEN_SECONDS_MAX = int(os.environ.get("TOKEN_SECONDS_MAX", "150"))
RESULT_TIMEOUT_SECONDS = 10
RETRY_SECONDS_MAX = 30


class TokenSource:
    """The token of this instance, asked for again before it grows too old."""

    def __init__(self, imds_url: str) -> None:
        bypass_proxies(imds_url)
        self._metadata = SaladCloudImdsSdk(base_url=imds_url, timeout=5_000).metadata
        self._token: str | None = None
        self._fetched_at = 0.0

    def token(self) -> str:
        # The monotonic clock: the wall clock of a node may be wrong, or be set right in between.
        age = time.monotonic() - self._fetched_at
        if self._token is None or age >= TOKEN_SECONDS_MAX:
            self._token = self._metadata.get_token(metadata="true").jwt
            self._fetched_at = time.monotonic()
        return self._token

    def forget(self) -> None:
        """Has the next call ask for a token again."""
        self._token = None


def bypass_proxies(url: str) -> None:
    """Requests to the metadata service never leave the node; a proxy could only read the token, or break the request."""
    host = urlsplit(url).hostname or ""
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), host]))


def send(tokens: TokenSource, url: str, result: dict) -> requests.Response:
    """Sends one result; with a fresh token if the service no longer takes the one that is kept."""
    answer = post(url, tokens.token(), result)
    if answer.status_code == 401:
        tokens.forget()
        answer = post(url, tokens.token(), result)
    return answer


def post(url: str, token: str, result: dict) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"}
    # A redirect could carry the token to another host.
    return requests.post(url, json=result, headers=headers, timeout=RESULT_TIMEOUT_SECONDS, allow_redirects=False)


def work(job: int) -> dict:
    """Where the real work would be."""
    return {"job": job, "result": sum(number * number for number in range(job + 1))}


def deliver(tokens: TokenSource, url: str, result: dict, stop: threading.Event) -> bool:
    """Sends one result until it is accepted; whether it was before the worker was told to stop."""
    pause = 1
    while not stop.is_set():
        try:
            answer = send(tokens, url, result)
        except Exception as error:  # The SDK has one exception for each way to fail; all of them mean: try again.
            problem = f"{type(error).__name__}: {error}"
        else:
            if answer.status_code in (200, 201):
                print(f"job {result['job']}: accepted {answer.text.strip()}", flush=True)
                return True
            if answer.status_code == 403:
                sys.exit(f"the service does not permit this container group: {answer.text.strip()}")
            problem = f"status {answer.status_code}: {answer.text.strip()}"
        print(f"job {result['job']}: {problem}; again in {pause} s", file=sys.stderr, flush=True)
        stop.wait(pause)
        pause = min(2 * pause, RETRY_SECONDS_MAX)
    return False


def main() -> None:
    url = os.environ.get("RESULTS_URL") or sys.exit("RESULTS_URL is not set: where do the results go?")
    tokens = TokenSource(os.environ.get("IMDS_URL", "http://169.254.169.254"))
    jobs_max = int(os.environ.get("RESULTS_MAX", "0"))
    job_seconds = float(os.environ.get("JOB_SECONDS", "10"))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    job = 0
    while not stop.is_set() and (jobs_max == 0 or job < jobs_max):
        job += 1
        if deliver(tokens, url, work(job), stop) and job != jobs_max:
            stop.wait(job_seconds)


if __name__ == "__main__":
    main()
