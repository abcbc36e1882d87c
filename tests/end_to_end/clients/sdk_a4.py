# SPDX-License-Identifier: Apache-2.0
"""Asks the metadata service through SaladCloud's SDK 0.9.0a4, unmodified and at its default address."""

import json
import os
import sys
import time

from salad_cloud_imds_sdk import SaladCloudImdsSdk

metadata = SaladCloudImdsSdk().metadata
status = metadata.get_container_status()
result = {
    "instance_id": os.environ["SALAD_INSTANCE_ID"],
    "jwt": metadata.get_container_token().jwt,
    "status": {"ready": status.ready, "started": status.started},
}
target = sys.argv[1]
with open(target + ".new", "w", encoding="utf-8") as file:
    json.dump(result, file)
os.rename(target + ".new", target)
time.sleep(600)
