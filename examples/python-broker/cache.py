# SPDX-License-Identifier: Apache-2.0
"""A cache in Redis or Valkey with a user of its own, through redis-py. Counts up a key, once a second."""

import os
import sys
import time

import redis
from redis.backoff import ExponentialBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import AuthenticationError, ConnectionError, NoPermissionError, TimeoutError
from redis.retry import Retry

from broker import Lease, from_environment


class LeasedUser(CredentialProvider):
    """Asked by redis-py for each new connection, so that each logs in with what is good at that moment."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self.given: dict | None = None

    def get_credentials(self) -> tuple[str, str]:
        self.given = self._lease.fields()
        return self.given["username"], self.given["password"]


def connect(lease: Lease) -> tuple[redis.Redis, LeasedUser]:
    fields, user = lease.fields(), LeasedUser(lease)
    client = redis.Redis(
        host=fields["host"],
        port=int(fields["port"]),
        ssl=fields.get("tls") == "true",
        ssl_ca_certs=os.environ.get("REDIS_CA"),
        credential_provider=user,
        # A connection that was cut is made again, with the credential of that moment.
        retry=Retry(ExponentialBackoff(cap=2, base=0.05), 5),
        retry_on_error=[ConnectionError, TimeoutError],
        decode_responses=True,
    )
    return client, user


def main() -> None:
    key = os.environ.get("CACHE_KEY", "example:count")
    rounds, pause = int(os.environ.get("ROUNDS", "0")), float(os.environ.get("PAUSE_SECONDS", "1"))
    lease = from_environment(os.environ.get("CREDENTIAL", "cache"))
    client, user = connect(lease)
    done = 0
    try:
        while rounds == 0 or done < rounds:
            try:
                print(f"{lease.fields()['username']} {client.incr(key)}", flush=True)
                done += 1
            except (AuthenticationError, NoPermissionError) as error:
                # Revoked: by an operator, or because a restored target does not know the user.
                print(f"refused ({error}); asking for another credential", file=sys.stderr, flush=True)
                lease.replace(user.given)
                client.connection_pool.disconnect()
            time.sleep(pause)
    finally:
        lease.close()


if __name__ == "__main__":
    main()
