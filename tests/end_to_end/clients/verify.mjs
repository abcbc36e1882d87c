// SPDX-License-Identifier: Apache-2.0
// Verifies the token on standard input with jose and prints its claims. Arguments: node_modules, JWKS URL, issuer, audience.
import { webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

// Node 18, which Debian 12 has, does not make it a global by itself.
globalThis.crypto ??= webcrypto;

const [modules, jwks, issuer, audience] = process.argv.slice(2);
const { createRemoteJWKSet, jwtVerify } = await import(pathToFileURL(`${modules}/jose/dist/webapi/index.js`));
const token = readFileSync(0, "utf8").trim();
const keys = createRemoteJWKSet(new URL(jwks));
try {
  const { payload } = await jwtVerify(token, keys, { issuer, audience, algorithms: ["ES256"] });
  console.log(JSON.stringify(payload));
} catch (error) {
  console.error(error.code);
  process.exit(1);
}
