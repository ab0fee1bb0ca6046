#!/usr/bin/env python3
"""reviewed.py ENVIRONMENT: fail unless deployments to this environment of GitHub need a reviewer.

A job that names an environment which does not exist creates it, without any protection; and on some plans private
repositories have no required reviewers. In both cases a tag would go to production unseen. Needs GITHUB_TOKEN
(`actions: read`). To deploy without a review, on purpose: the repository's variable UNREVIEWED=accepted.
"""

import os
import sys
import urllib.parse
from collections.abc import Mapping
from typing import Any

from tracker import TrackerError, request


def reviewers(environment: Mapping[str, Any]) -> int:
    """How many users and teams may approve, in what the API says of an environment."""
    rules = environment.get("protection_rules") or []
    return sum(len(one.get("reviewers") or []) for one in rules if one.get("type") == "required_reviewers")


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    name = sys.argv[1]
    if os.environ.get("UNREVIEWED") == "accepted":
        print(f"{name}: deployed without a review, as the variable UNREVIEWED says")
        return 0
    api = os.environ.get("GITHUB_API_URL", "https://api.github.com")
    url = f"{api}/repos/{os.environ['GITHUB_REPOSITORY']}/environments/{urllib.parse.quote(name, safe='')}"
    headers = {"Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}", "Accept": "application/vnd.github+json"}
    try:
        found = reviewers(request("GET", url, headers))
    except TrackerError as error:
        print(f"environment {name}: cannot be looked up, so nothing is deployed.\n{error}", file=sys.stderr)
        return 1
    if not found:
        print(
            f"environment {name}: nobody has to approve a deployment, so nothing is deployed. Set required reviewers: "
            f"Settings → Environments → {name}. Where the plan has none: the variable UNREVIEWED=accepted",
            file=sys.stderr,
        )
        return 1
    print(f"{name}: {found} reviewers")
    return 0


if __name__ == "__main__":
    sys.exit(main())
