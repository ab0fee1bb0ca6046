"""A kubectl that plays a cluster with one database, in a directory: what is there, and how a restore goes.

`state.json`: `objects` by `kind/name`; `restores`: `ready`, `fails`, `pending` or `never`; `logs`: what a failed pod
says; `lost_seconds`: how much of the newest rows is not in the archive; `archives`: whether the last segment gets there; `refuses`: kinds of statements that fail; `volumes_stay`: how
often a volume is seen after its Cluster is deleted.
"""

import fcntl
import io
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

ROWS = 8
"""Rows that are written before a restore for a drill has ended."""
KINDS = {
    "Cluster": "cluster.postgresql.cnpg.io",
    "NetworkPolicy": "networkpolicy",
    "ConfigMap": "configmap",
    "Backup": "backup",
}


def here() -> Path:
    return Path(os.environ["FAKE_CLUSTER"])


@contextmanager
def state() -> Iterator[dict[str, Any]]:
    with (here() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        held = json.loads((here() / "state.json").read_text())
        before = json.dumps(held)
        yield held
        if (after := json.dumps(held)) != before:  # whole, also for who reads it meanwhile
            (here() / "new.json").write_text(after)
            (here() / "new.json").replace(here() / "state.json")


def rows() -> list[tuple[int, float]]:
    file = here() / "rows"
    lines = file.read_text().splitlines() if file.exists() else []
    return [(int(one), float(two)) for one, two in (line.split() for line in lines)]


def psql(pod: str, held: dict[str, Any]) -> None:
    aside = not pod.startswith("db-1")
    for line in sys.stdin:
        for kind, said in held["refuses"].items():
            if kind in line:
                sys.exit(said)
        if "TRUNCATE" in line:
            (here() / "rows").write_text("")
        if line.startswith("INSERT"):
            number, at = line.split("(")[1].split(",")[0], time.time()
            with (here() / "rows").open("a") as file:
                file.write(f"{number} {at}\n")
            print(f"{number}|{at}", flush=True)
        elif "FROM tierstack_drill.clock" in line:
            last = max(at for _, at in rows()) - held["lost_seconds"]
            print("".join(f"{number}|{at}\n" for number, at in rows() if at <= last or not aside), end="")
        elif "extract(epoch FROM modification)" in line:
            print(int(time.time()) + 1)
        elif "pg_walfile_name" in line:
            print("00000001000000000000000A")
        elif "last_archived_wal" in line:
            assert "00000001000000000000000A" in line
            print("t" if held["archives"] else "f")
        elif "pg_database_size" in line:
            print(1000)
        elif "SELECT format" in line:
            print("3\n4")
        elif "relpersistence = 'u'" in line:
            print(0)
        elif "orders" in line:
            print("t")


def applied(held: dict[str, Any], one: dict[str, Any]) -> None:
    name = one["metadata"]["name"]
    held["objects"][f"{KINDS[one['kind']]}/{name}"] = one
    if one["kind"] != "Cluster":
        return
    one["metadata"]["creationTimestamp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    labels = {"cnpg.io/cluster": name}
    pod: dict[str, Any] = {"metadata": {"name": f"{name}-1-full-recovery-x", "labels": labels}, "status": {}}
    if held["restores"] == "ready":
        one["status"] = {"currentPrimary": f"{name}-1", "conditions": [{"type": "Ready", "status": "True"}]}
    if held["restores"] == "fails":
        pod["status"] = {"phase": "Failed"}
    if held["restores"] == "pending":
        why = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available: 3 Insufficient memory."}
        pod["status"] = {"phase": "Pending", "conditions": [why]}
    held["objects"][f"pods/{pod['metadata']['name']}"] = pod
    held["objects"][f"pvc/{name}-1"] = {"metadata": {"name": f"{name}-1", "labels": labels}}


def main() -> None:
    arguments = sys.argv[sys.argv.index("shop") + 1 :]
    verb, rest = arguments[0], arguments[1:]
    with (here() / "calls").open("a") as calls:
        calls.write(" ".join(sys.argv[1:]) + "\n")
    if verb == "exec":
        with state() as held:
            pass
        psql(rest[1], held)
        return
    with state() as held:
        objects = held["objects"]
        if verb == "get" and rest[1].startswith("-"):
            wanted = dict(one.split("=") for one in rest[2].split(",")) if "--selector" in rest else {}
            kind = f"{rest[0]}/"
            found = [one for key, one in objects.items() if key.startswith(kind)]
            items = [one for one in found if wanted.items() <= one["metadata"].get("labels", {}).items()]
            print(json.dumps({"items": items}))
            for key in [key for key, one in objects.items() if one in items and "looks" in one]:
                objects[key]["looks"] -= 1
                if objects[key]["looks"] < 0:
                    del objects[key]
        elif verb == "get" and rest[0] == "namespace":
            print("namespace/shop")
        elif verb == "get":
            if one := objects.get(f"{rest[0]}/{rest[1]}"):
                waits = rest[1].endswith("-drill") and len(rows()) < ROWS
                print(json.dumps({**one, "status": {}} if waits else one))
        elif verb == "apply":
            for one in json.load(sys.stdin)["items"]:
                applied(held, one)
        elif verb == "delete":
            objects.pop(f"{rest[0]}/{rest[1]}", None)
            for key in [key for key in objects if key.startswith((f"pods/{rest[1]}-", f"pvc/{rest[1]}-"))]:
                if key.startswith("pods/"):
                    del objects[key]
                else:  # as the garbage collector, a moment later
                    objects[key]["looks"] = held["volumes_stay"]
        elif verb in ("create", "replace"):
            one = json.load(sys.stdin)
            key = f"{KINDS[one['kind']]}/{one['metadata']['name']}"
            version = objects.get(key, {}).get("metadata", {}).get("resourceVersion")
            if one["metadata"].get("resourceVersion") != version:
                sys.exit("the object has been modified")
            one["metadata"]["resourceVersion"] = str(int(version or 0) + 1)
            objects[key] = one
        elif verb == "logs":
            print(held["logs"])


def call(command: Sequence[str], stdin: str | None) -> tuple[int, str]:
    """The same without a process: exit code, and what it prints."""
    printed = io.StringIO()
    before = sys.argv, sys.stdin
    sys.argv, sys.stdin = [*command], io.StringIO(stdin or "")
    try:
        with redirect_stdout(printed):
            main()
    except SystemExit as end:
        return 1, f"{printed.getvalue()}{end.code}"
    except OSError as error:
        return 1, str(error)
    finally:
        sys.argv, sys.stdin = before
    return 0, printed.getvalue()


if __name__ == "__main__":
    main()
