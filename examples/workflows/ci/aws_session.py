#!/usr/bin/env python3
"""aws_session.py: a session of AWS for this job, by OIDC; prints `export` lines for the shell.

The token that GitHub gives lasts five minutes, and an update runs `pulumi` and its providers many times. So it is
exchanged once, here, for a session that lasts as long as the role allows (`AWS_SESSION_SECONDS`, default 3600).
AWS_ROLE_ARN and AWS_REGION are required. GitHub: `permissions: id-token: write`. GitLab: `id_tokens: CI_AWS_TOKEN`.
"""

import json
import os
import shlex
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

VARIABLES = {
    "AccessKeyId": "AWS_ACCESS_KEY_ID",
    "SecretAccessKey": "AWS_SECRET_ACCESS_KEY",
    "SessionToken": "AWS_SESSION_TOKEN",
}


def identity(environment: Mapping[str, str]) -> str:
    """The token that says who this job is."""
    if token := environment.get("CI_AWS_TOKEN"):
        return token
    url = environment["ACTIONS_ID_TOKEN_REQUEST_URL"] + "&audience=sts.amazonaws.com"
    return _answer(url, {"Authorization": f"bearer {environment['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"})["value"]


def session(environment: Mapping[str, str], token: str) -> dict[str, str]:
    """The variables of a session for the role."""
    service = environment.get("AWS_ENDPOINT_URL_STS") or f"https://sts.{environment['AWS_REGION']}.amazonaws.com"
    query = urllib.parse.urlencode(
        {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": environment["AWS_ROLE_ARN"],
            "RoleSessionName": "ci",
            "DurationSeconds": environment.get("AWS_SESSION_SECONDS", "3600"),
            "WebIdentityToken": token,
        }
    )
    answer = _answer(f"{service}/", {"Accept": "application/json"}, query.encode())
    given = answer["AssumeRoleWithWebIdentityResponse"]["AssumeRoleWithWebIdentityResult"]["Credentials"]
    return {variable: given[name] for name, variable in VARIABLES.items()}


def _answer(url: str, headers: dict[str, str], body: bytes | None = None) -> Any:
    request = urllib.request.Request(url, data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def main() -> int:
    try:
        variables = session(os.environ, identity(os.environ))
    except KeyError as error:
        print(f"no session of AWS: {error} is missing", file=sys.stderr)
        return 1
    except (urllib.error.URLError, ValueError) as error:
        said = error.read().decode(errors="replace") if isinstance(error, urllib.error.HTTPError) else error
        print(f"no session of AWS for {os.environ['AWS_ROLE_ARN']}: {said}", file=sys.stderr)
        return 1
    for name, value in variables.items():
        if "GITHUB_ACTIONS" in os.environ:
            print(f"::add-mask::{value}", file=sys.stderr)
        print(f"export {name}={shlex.quote(value)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
