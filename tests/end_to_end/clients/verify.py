# SPDX-License-Identifier: Apache-2.0
"""Verifies the token on standard input with PyJWT and prints its claims. Arguments: JWKS URL, issuer, audience."""

import json
import sys

import jwt

jwks, issuer, audience = sys.argv[1:4]
token = sys.stdin.read().strip()
key = jwt.PyJWKClient(jwks).get_signing_key_from_jwt(token)
try:
    claims = jwt.decode(token, key, algorithms=["ES256"], issuer=issuer, audience=audience)
except jwt.InvalidTokenError as error:
    sys.exit(type(error).__name__)
print(json.dumps(claims))
