# SPDX-License-Identifier: Apache-2.0
"""A table in PostgreSQL with a role of its own, through psycopg. Adds a row, once a second."""

import os
import sys
import time

import psycopg
import psycopg.sql

from broker import Lease, from_environment



def connect(lease: Lease) -> psycopg.Connection:
    """A connection with what is good at this moment; with another credential if that one was revoked."""
    for attempt in range(5):
        fields = lease.fields()
        try:
            return psycopg.connect(
                host=fields["host"],
                port=int(fields["port"]),
                dbname=fields["database"],
                user=fields["username"],
                password=fields["password"],
                sslmode=fields["sslmode"],
                # The server's authority: PGSSLROOTCERT, or the system's.
                sslrootcert=os.environ.get("PGSSLROOTCERT", "system" if fields["sslmode"] == "verify-full" else ""),
                connect_timeout=10,
                autocommit=True,
            )
        except psycopg.OperationalError as error:
            print(f"cannot connect ({type(error).__name__}); again", file=sys.stderr, flush=True)
            # libpq tells a login that was refused from a server that is away by its text alone.
            if any(words in str(error) for words in ("authentication failed", "not permitted to log in", "does not exist")):
                lease.replace(fields)
            time.sleep(0.2 * 2**attempt)
    raise SystemExit("the database lets nobody in")


def main() -> None:
    table = os.environ.get("REPORTS_TABLE", "reports")
    rounds, pause = int(os.environ.get("ROUNDS", "0")), float(os.environ.get("PAUSE_SECONDS", "1"))
    lease = from_environment(os.environ.get("CREDENTIAL", "reports-db"))
    insert = psycopg.sql.SQL("INSERT INTO {} (made_by) VALUES (session_user) RETURNING made_by").format(
        psycopg.sql.Identifier(table)
    )
    connection, done = None, 0
    try:
        while rounds == 0 or done < rounds:
            try:
                connection = connection or connect(lease)
                print(connection.execute(insert).fetchone()[0], flush=True)
                done += 1
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                # The session was ended with its lease, or the server went away: the next round has a new one.
                print(f"the session is over ({type(error).__name__}); another", file=sys.stderr, flush=True)
                connection = None
            time.sleep(pause)
    finally:
        lease.close()


if __name__ == "__main__":
    main()
