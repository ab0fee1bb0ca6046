"""VersityGW on a Docker host: what it is started with, its accounts and who may do what. Pure.

It keeps objects as files (POSIX backend), old versions in a second directory, and what a file system has no place for
(policies, locks, checksums) in a third one, so that a plain copy of the volume is a whole copy.
"""

import json
from collections.abc import Mapping
from typing import Any

from tierstack.links import StorePurpose
from tierstack.links.object_store import REPOSITORY
from tierstack.platform.internal_ca import CERTIFICATE, KEY, SERVER_DIRECTORY

PORT = 7070
UID = 65532
CONFIG_DIR = "/etc/versitygw"  # not around the directory of the certificate, which is a volume of its own
DATA_DIR = "/var/lib/versitygw"
REGION = "us-east-1"
"""Region of a self-hosted store: the one that clients assume where none is named."""
ROOT = "root"
"""Account of the probe, which makes the bucket; no consumer gets its secret."""
KEYS = (StorePurpose.WRITE, StorePurpose.PRUNE, StorePurpose.DRILL)

_READ = ("s3:GetObject", "s3:GetObjectVersion")
_WRITE = ("s3:PutObject", "s3:PutObjectRetention", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
_DELETE = ("s3:DeleteObject", "s3:DeleteObjectVersion")
_LIST = ("s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketLocation", "s3:GetBucketVersioning")
_GRANTED: Mapping[StorePurpose, tuple[tuple[str, ...], tuple[str, ...]]] = {
    StorePurpose.WRITE: ((*_LIST, "s3:ListBucketMultipartUploads"), (*_READ, *_WRITE)),
    StorePurpose.PRUNE: (_LIST, (*_READ, *_DELETE)),
    StorePurpose.DRILL: (_LIST, _READ),
}
"""Actions of each key: those on the bucket, and those on objects (VersityGW 1.8, `auth/bucket_policy_actions.go`)."""
_IN_REPOSITORIES: Mapping[StorePurpose, tuple[str, tuple[str, ...]]] = {
    StorePurpose.WRITE: (f"*/{REPOSITORY}/locks/*", ("s3:DeleteObject",)),
    StorePurpose.PRUNE: (f"*/{REPOSITORY}/*", ("s3:PutObject",)),
}
"""What restic needs besides, in its repositories alone: a lock is removed by who made it, and pruning writes anew what
is still needed of a pack."""

# The root secret is read from a file, so that `docker inspect` does not show it. No `--keep-alive`: the gateway streams
# bodies, and what is left unread of one (5 MiB parts on a busy host) was taken for the next request.
_START = f"""\
#!/bin/sh
set -eu
umask 077
mkdir -p {DATA_DIR}/objects {DATA_DIR}/versions {DATA_DIR}/metadata
set -a
. {CONFIG_DIR}/root.env
set +a
exec versitygw --port :{PORT} --region {REGION} \\
    --cert {SERVER_DIRECTORY}/{CERTIFICATE} --key {SERVER_DIRECTORY}/{KEY} \\
    --iam-dir {CONFIG_DIR}/iam --iam-cache-disable --health /health --quiet \\
    posix --versioning-dir {DATA_DIR}/versions --sidecar {DATA_DIR}/metadata {DATA_DIR}/objects
"""
# Our own image has curl, the vendor's BusyBox. Neither is asked to verify: it calls the container it is in.
_HEALTH = f"""\
#!/bin/sh
url=https://127.0.0.1:{PORT}/health
if command -v curl >/dev/null; then exec curl -fsSk --max-time 5 -o /dev/null "$url"; fi
exec wget -q --no-check-certificate -T 5 -O /dev/null "$url"
"""


def endpoint(name: str) -> str:
    """The URL of the S3 API of the store `name`, in its network."""
    return f"https://{name}:{PORT}"


def scripts() -> dict[str, str]:
    """What starts the server and asks how it is."""
    return {"start.sh": _START, "health.sh": _HEALTH}


def root_environment(secret: str) -> str:
    """The file with the root account. The secret is letters and digits."""
    return f"ROOT_ACCESS_KEY_ID={ROOT}\nROOT_SECRET_ACCESS_KEY={secret}\n"


def accounts(secrets: Mapping[str, str]) -> str:
    """The file of accounts (VersityGW, internal IAM service). A plain user may do what a bucket's policy grants."""
    users = {
        name: {"access": name, "secret": secret, "role": "user", "userID": 0, "groupID": 0, "projectID": 0}
        for name, secret in sorted(secrets.items())
    }
    return json.dumps({"accessAccounts": users}, indent=2) + "\n"


def policy(bucket: str) -> dict[str, Any]:
    """The bucket's policy: each key its actions and no other."""
    arn = f"arn:aws:s3:::{bucket}"
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": [purpose.value]}, "Action": list(actions), "Resource": resource}
        for purpose in KEYS
        for actions, resource in zip(_GRANTED[purpose], (arn, f"{arn}/*"), strict=True)
    ]
    statements += [
        {"Effect": "Allow", "Principal": {"AWS": [key.value]}, "Action": list(actions), "Resource": f"{arn}/{below}"}
        for key, (below, actions) in _IN_REPOSITORIES.items()
    ]
    return {"Version": "2012-10-17", "Statement": statements}
