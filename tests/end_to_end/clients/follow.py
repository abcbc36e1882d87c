# SPDX-License-Identifier: Apache-2.0
"""Verifies each line of standard input as a token, and answers each with a line: ok, or the error's name.

Usage: follow.py JWKS ISSUER AUDIENCE. Keys are fetched anew every second, and for an unknown key id.
"""

import sys

import jwt

jwks, issuer, audience = sys.argv[1:]
keys = jwt.PyJWKClient(jwks, lifespan=1)
for line in sys.stdin:
    try:
        key = keys.get_signing_key_from_jwt(line.strip())
        jwt.decode(line.strip(), key.key, algorithms=["ES256"], issuer=issuer, audience=audience)
        answer = "ok"
    except jwt.PyJWTError as error:
        answer = f"{type(error).__name__}: {error}"
    print(answer.replace("\n", " "), flush=True)
