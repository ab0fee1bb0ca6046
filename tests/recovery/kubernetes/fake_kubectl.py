"""A kubectl that plays a cluster with one database, in a directory: what is there, and how a restore goes.

`state.json`: `objects` by `kind/name`; `restores`: `ready`, `fails`, `pending` or `never`; `logs`: what a failed pod
says; `lost_seconds`: how much of the newest rows is not in the archive; `archives`: whether the last segment gets there; `refuses`: kinds of statements that fail.
"""

import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(os.environ["FAKE_CLUSTER"])
KINDS = {
    "Cluster": "cluster.postgresql.cnpg.io",
    "NetworkPolicy": "networkpolicy",
    "ConfigMap": "configmap",
    "Backup": "backup",
}


@contextmanager
def state() -> Iterator[dict[str, Any]]:
    with (HERE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        held = json.loads((HERE / "state.json").read_text())
        yield held
        (HERE / "state.json").write_text(json.dumps(held))


def rows() -> list[tuple[int, float]]:
    file = HERE / "rows"
    lines = file.read_text().splitlines() if file.exists() else []
    return [(int(one), float(two)) for one, two in (line.split() for line in lines)]


def psql(pod: str, held: dict[str, Any]) -> None:
    aside = not pod.startswith("db-1")
    for line in sys.stdin:
        for kind, said in held["refuses"].items():
            if kind in line:
                sys.exit(said)
        if "TRUNCATE" in line:
            (HERE / "rows").write_text("")
        if line.startswith("INSERT"):
            number, at = line.split("(")[1].split(",")[0], time.time()
            with (HERE / "rows").open("a") as file:
                file.write(f"{number} {at}\n")
            print(f"{number}|{at}", flush=True)
        elif line.startswith("SELECT id"):
            last = max(at for _, at in rows()) - held["lost_seconds"]
            print("".join(f"{number}|{at}\n" for number, at in rows() if at <= last or not aside), end="")
        elif "extract(epoch FROM modification)" in line:
            print(int(time.time()) + 1)
        elif "pg_switch_wal" in line:
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


def main() -> None:
    arguments = sys.argv[sys.argv.index("shop") + 1 :]
    verb, rest = arguments[0], arguments[1:]
    with (HERE / "calls").open("a") as calls:
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
        elif verb == "get" and rest[0] == "namespace":
            print("namespace/shop")
        elif verb == "get":
            if one := objects.get(f"{rest[0]}/{rest[1]}"):
                print(json.dumps(one))
        elif verb == "apply":
            for one in json.load(sys.stdin)["items"]:
                applied(held, one)
        elif verb == "delete":
            objects.pop(f"{rest[0]}/{rest[1]}", None)
            for key in [key for key in objects if key.startswith(f"pods/{rest[1]}-")]:
                del objects[key]
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


main()
