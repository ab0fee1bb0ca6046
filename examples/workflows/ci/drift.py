#!/usr/bin/env python3
"""Drift: what was changed beside the engine.

drift.py check STACK --out FILE   compare the state of STACK with what is there (`pulumi refresh --preview-only`)
drift.py report FILE…             one issue for each stack: opened, updated, closed when the drift is gone

GitHub: GITHUB_TOKEN (`issues: write`) and GITHUB_REPOSITORY. GitLab: GITLAB_TOKEN (scope `api`) and CI_PROJECT_ID.
Only names of resources and properties are written down, no values: an issue may be public.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tracker import Tracker, TrackerError, tracker

CLEAN, DRIFTED, UNKNOWN = "clean", "drifted", "unknown"
MOST = 200
"""Changes that an issue names; the others are counted."""


def changes(events: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The resources that differ, by the engine's events of `pulumi refresh --preview-only`."""
    found: list[dict[str, Any]] = []
    for event in events:
        step = event.get("resOutputsEvent", {}).get("metadata", {})
        if step.get("op", "same") == "same":
            continue
        before, after = ((step.get(side) or {}).get("outputs") or {} for side in ("old", "new"))
        keys = step.get("detailedDiff") or (one for one in {*before, *after} if before.get(one) != after.get(one))
        _, _, types, name = step["urn"].split("::", 3)
        gone = step["op"] == "delete"
        found.append(
            {"gone": gone, "type": types.split("$")[-1], "name": name, "properties": [] if gone else sorted(keys)}
        )
    return found


def check(stack: str) -> dict[str, Any]:
    """Whether the stack is as its state says. What the engine says goes to the log of the job."""
    result: dict[str, Any] = {"stack": stack, "verdict": UNKNOWN, "changes": []}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "events"
        command = ["pulumi", "refresh", "--stack", stack, "--preview-only", "--non-interactive", "--diff"]
        # `--json` has what each resource was before it was looked up; the log of events has what it is now.
        environment = {**os.environ, "PULUMI_DEBUG_COMMANDS": "true"}
        done = subprocess.run([*command, f"--event-log={log}"], env=environment, stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0 or not log.is_file():
            return result
        events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    summaries = [event["summaryEvent"] for event in events if "summaryEvent" in event]
    if not summaries or summaries[-1].get("result", "succeeded") != "succeeded":
        return result
    found = changes(events)
    return {**result, "verdict": DRIFTED if found else CLEAN, "changes": found}


def code(text: str) -> str:
    """A name as code, so that none becomes a mention, a link or HTML."""
    return "`" + re.sub(r"[`\s]+", " ", text).strip() + "`"


def marker(stack: str) -> str:
    """The hidden first line by which the issue of a stack is found again."""
    return f"<!-- drift: {re.sub(r'[^A-Za-z0-9_./-]', '_', stack)} -->"


def body(result: Mapping[str, Any], run: str) -> str:
    """The text of the issue."""
    found, stack = result["changes"], code(result["stack"])
    lines = [marker(result["stack"])]
    if result["verdict"] == UNKNOWN:
        lines += [f"Whether {stack} is as its state says could not be found out: {run or 'see the job'}."]
        return "\n".join(lines) + "\n"
    lines += [
        f"{len(found)} {'resource' if len(found) == 1 else 'resources'} of {stack} changed without the engine.",
        "",
    ]
    for one in found[:MOST]:
        names = ", ".join(code(key) for key in one["properties"][:10])
        more = len(one["properties"]) - 10
        names += f" and {more} more" if more > 0 else ""
        what = "is gone" if one["gone"] else "was changed"
        lines.append(f"- {code(one['name'])} ({code(one['type'])}) {what}{': ' + names if names else ''}")
    if len(found) > MOST:
        lines.append(f"- and {len(found) - MOST} more")
    lines += [
        "",
        "To undo the changes, deploy again (`tierstack up`). To keep them, write them into the configuration or the "
        "program, then take them into the state with `pulumi refresh`.",
        "",
        "This issue is closed by the next check that finds no drift."
        + (f" The values are in the log of the job: {run}" if run else ""),
    ]
    return "\n".join(lines) + "\n"


def title(result: Mapping[str, Any]) -> str:
    return f"Drift check of {result['stack']} fails" if result["verdict"] == UNKNOWN else f"Drift in {result['stack']}"


def report(results: Iterable[Mapping[str, Any]], issues: Tracker) -> None:
    """Bring the issue of each stack to what was found. One that was closed by hand is reopened while there is drift."""
    for result in results:
        issue = issues.find(marker(result["stack"]))
        text = body(result, issues.run)
        if result["verdict"] == CLEAN:
            if issue and issue.is_open:
                issues.comment(issue, "The last check found no drift.")
                issues.change(issue, state="closed")
            said = "no drift"
        elif issue is None:
            issues.open(title(result), text)
            said = "issue opened"
        else:
            if issue.text.strip() != text.strip() or not issue.is_open:
                issues.change(issue, title=title(result), text=text, state="open")
            if not issue.is_open:
                issues.comment(issue, "The drift is still there, or there again.")
            said = "issue kept" if issue.is_open else "issue reopened"
        print(f"{result['stack']}: {result['verdict']}, {said}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("check")
    one.add_argument("stack")
    one.add_argument("--out", type=Path, required=True)
    verbs.add_parser("report").add_argument("files", type=Path, nargs="+")
    given = parser.parse_args()
    if given.verb == "check":
        result = check(given.stack)
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        print(f"{given.stack}: {result['verdict']}, {len(result['changes'])} changes")
        return 1 if result["verdict"] == UNKNOWN else 0
    try:
        report([json.loads(file.read_text(encoding="utf-8")) for file in given.files], tracker())
    except TrackerError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
