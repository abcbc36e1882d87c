# SPDX-License-Identifier: Apache-2.0
"""A service that takes results from the instances of one container group, and from nobody else.

Tokens are checked offline against the issuer's published keys (JWKS), which PyJWT keeps in memory.
"""

import os
import sys
from urllib.parse import urlsplit

import jwt
from flask import Flask, Response, g, jsonify, request

LEEWAY_SECONDS = 30
TOKEN_CHARACTERS_MAX = 8_192
REQUIRED_CLAIMS = ["exp", "iat", "nbf", "iss", "aud", "sub", "salad_workload_id", "salad_machine_id"]


def setting(name: str) -> str:
    return os.environ.get(name) or sys.exit(f"{name} is not set; README.md lists what is needed")


ISSUER = setting("ISSUER")
AUDIENCE = setting("AUDIENCE")
CONTAINER_GROUP_ID = setting("CONTAINER_GROUP_ID")
JWKS_URL = setting("JWKS_URL")
if urlsplit(JWKS_URL).scheme != "https" and urlsplit(JWKS_URL).hostname not in ("127.0.0.1", "::1", "localhost"):
    sys.exit("JWKS_URL is not https: whoever can change the keys on their way decides which tokens are good")

# The set is fetched once an hour, and once more, at most every 10 s, if a token names a key that is not in it. A new key is
# public for a week before it signs, so that an hour-old set is never too old.
keys = jwt.PyJWKClient(JWKS_URL, lifespan=3_600, timeout=5, cooldown_duration=10)
app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 65_536
results: list[dict] = []


class KeysUnavailable(Exception):
    """Nobody can say now whether a token is good."""


def signing_key(token: str) -> jwt.PyJWK:
    try:
        return keys.get_signing_key_from_jwt(token)
    except (jwt.PyJWKClientConnectionError, jwt.PyJWKSetError, ValueError) as error:
        raise KeysUnavailable from error


def refuse(status: int, code: str, detail: str, error: str | None = None) -> Response:
    """An answer as RFC 6750 says."""
    answer = jsonify(title=code.replace("-", " "), status=status, detail=detail, code=code)
    answer.status_code = status
    answer.content_type = "application/problem+json"
    if status in (401, 403):
        challenge = 'Bearer realm="results"'
        answer.headers["WWW-Authenticate"] = challenge + (f', error="{error}"' if error else "")
    if status == 503:
        answer.headers["Retry-After"] = "2"
    return answer


@app.before_request
def check_token() -> Response | None:
    """Lets only tokens of the permitted container group through."""
    if request.path == "/healthz":
        return None
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return refuse(401, "token-missing", "expected the header Authorization: Bearer and a token")
    if len(token) > TOKEN_CHARACTERS_MAX:
        return refuse(401, "token-too-long", "expected a shorter token", "invalid_token")
    try:
        key = signing_key(token)
        claims = jwt.decode(
            token,
            key,
            # Pinned: what the token says about its own algorithm counts for nothing.
            algorithms=["ES256"],
            issuer=ISSUER,
            audience=AUDIENCE,
            leeway=LEEWAY_SECONDS,
            options={"require": REQUIRED_CLAIMS},
        )
    except KeysUnavailable as error:
        app.logger.warning("the issuer's keys cannot be read: %s", error.__cause__)
        return refuse(503, "keys-unavailable", "the token cannot be checked now; try again")
    except (jwt.InvalidTokenError, jwt.PyJWKClientError) as error:
        return refuse(401, "token-invalid", f"{type(error).__name__}: fetch a fresh token", "invalid_token")
    if claims["salad_workload_id"] != CONTAINER_GROUP_ID:
        return refuse(403, "not-permitted", "the token is good, but not of the permitted group", "insufficient_scope")
    g.claims = claims
    return None


@app.post("/results")
def take_result() -> tuple[Response, int]:
    result = {"from": g.claims.get("salad_instance_id", g.claims["salad_machine_id"]), "result": request.get_json()}
    results.append(result)
    del results[:-1_000]
    return jsonify(accepted=len(results), instance_id=g.claims.get("salad_instance_id")), 201


@app.get("/healthz")
def health() -> str:
    return "ok"


if __name__ == "__main__":
    app.run(host=os.environ.get("HOST", "127.0.0.1"), port=int(os.environ.get("PORT", "8500")), threaded=True)
