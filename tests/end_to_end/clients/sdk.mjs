// SPDX-License-Identifier: Apache-2.0
// Asks the metadata service through SaladCloud's npm SDK, unmodified and at its default address.
import { createRequire } from "node:module";
import { renameSync, writeFileSync } from "node:fs";

const [modules, target] = process.argv.slice(2);
const { Metadata, SaladCloudImdsSdk } = createRequire(`${modules}/`)("@saladtechnologies-oss/salad-cloud-imds-sdk");
const { metadata } = new SaladCloudImdsSdk({});
const params = { metadata: Metadata.TRUE_ };

const cost = (await metadata.getDeletionCost(params)).data.deletionCost;
await metadata.replaceDeletionCost({ deletionCost: 7 }, params);
const result = {
  instance_id: process.env.SALAD_INSTANCE_ID,
  jwt: (await metadata.getToken(params)).data.jwt,
  status: (await metadata.getStatus(params)).data,
  costs: [cost, (await metadata.getDeletionCost(params)).data.deletionCost],
};
writeFileSync(`${target}.new`, JSON.stringify(result));
renameSync(`${target}.new`, target);
setTimeout(() => {}, 600_000);
