# SPDX-License-Identifier: Apache-2.0
"""Asks the metadata service through SaladCloud's SDK 0.9.0a6, unmodified and at its default address."""

import json
import os
import sys
import time

from salad_cloud_imds_sdk import SaladCloudImdsSdk
from salad_cloud_imds_sdk.models import DeletionCost

metadata = SaladCloudImdsSdk().metadata
status = metadata.get_status(metadata="true")
cost_before = metadata.get_deletion_cost(metadata="true").deletion_cost
metadata.replace_deletion_cost(request_body=DeletionCost(deletion_cost=42), metadata="true")
result = {
    "instance_id": os.environ["SALAD_INSTANCE_ID"],
    "jwt": metadata.get_token(metadata="true").jwt,
    "status": {"ready": status.ready, "started": status.started},
    "costs": [cost_before, metadata.get_deletion_cost(metadata="true").deletion_cost],
}
target = sys.argv[1]
restarted = os.path.exists(target + ".restarting")
result["restarted"] = restarted
if restarted:
    with open(target + ".new", "w", encoding="utf-8") as file:
        json.dump(result, file)
    os.rename(target + ".new", target)
else:
    with open(target + ".restarting", "w", encoding="utf-8"):
        pass
    metadata.restart(metadata="true")
time.sleep(600)
