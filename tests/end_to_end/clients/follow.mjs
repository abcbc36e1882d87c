// SPDX-License-Identifier: Apache-2.0
// Verifies each line of standard input as a token, and answers each with a line: ok, or the error's code.
//
// Usage: follow.mjs NODE_MODULES JWKS ISSUER AUDIENCE. Keys are fetched anew every second, and for an unknown key id.

import { webcrypto } from "node:crypto";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

// Node 18, which Debian 12 has, does not make it a global by itself.
globalThis.crypto ??= webcrypto;

const [modules, jwks, issuer, audience] = process.argv.slice(2);
const { createRemoteJWKSet, jwtVerify } = await import(pathToFileURL(`${modules}/jose/dist/webapi/index.js`));
const keys = createRemoteJWKSet(new URL(jwks), { cacheMaxAge: 1000, cooldownDuration: 500 });
for await (const line of createInterface({ input: process.stdin })) {
  try {
    await jwtVerify(line.trim(), keys, { algorithms: ["ES256"], issuer, audience });
    console.log("ok");
  } catch (error) {
    console.log(error.code ?? error.message);
  }
}
