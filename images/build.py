#!/usr/bin/env python3
"""Makes the container images that tests and the local stack run.

An official image is pulled by digest (official.json) when its registry answers within a few seconds.
Otherwise, and for images that have no official counterpart, the image is built from recipes/NAME/Dockerfile
on a Debian tree made by debootstrap. Only what is missing or changed is made: every built image carries a
hash of its recipe, its context and its parent as a label.

The result is the file images.json in the cache: logical name, such as "shop:1", to image id, "sha256:...".
Components are configured with ids, so that a rebuilt image is a change and an unchanged one is not.
"""

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))  # this file is started as a program, from anywhere

from images import sources  # noqa: E402
from images.sources import ImageError, docker, logged, tag  # noqa: E402

LABEL = "tierstack.recipe"
ENTRY = "manager"
"""In an image of one program, the link to it: what CloudNativePG starts, and the entry point of every such image."""
PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")

EXAMPLES = """examples:
  python3 images/build.py                      make whatever is missing or out of date
  python3 images/build.py --only shop:1        one image and what it stands on (repeatable)
  python3 images/build.py --print shop:1       its id for a configuration: sha256:...
  python3 images/build.py --list               what exists, without making anything
  python3 images/build.py --json               the whole table for a program

environment:
  TIERSTACK_CACHE          cache directory (default: ~/.cache/tierstack)
  TIERSTACK_DEBIAN_MIRROR  Debian mirror for debootstrap (default: debootstrap's own)
  TIERSTACK_TRAEFIK        path of a Traefik binary (default: asked of toolchain/setup.py)
"""


@dataclass(frozen=True, kw_only=True)
class Image:
    """One image: the recipe it is built from, what it stands on and what else goes in.

    `programs` of the toolchain are copied to paths below the build context, and the packages of a recipe's
    requirements.txt to its folder `python`. `seconds` is what a build usually takes on two cores, for the progress
    line. `group` says which set-up brings the programs, and what asks for the image.
    """

    name: str
    recipe: str
    parent: str | None = None
    context: Path | None = None
    arguments: Mapping[str, str] | None = None
    programs: Mapping[str, str] | None = None
    seconds: int
    group: str = "images"


def shop_image(version: str) -> Image:
    """The same code twice under two versions: what a release needs."""
    return Image(
        name=f"shop:{version}",
        recipe="shop",
        parent="php:8.4",
        context=ROOT / "examples" / "shop",
        arguments={"VERSION": version},
        seconds=4,
    )


CLUSTER_PROGRAMS: dict[str, dict[str, str]] = {
    "coredns:1.12.4": {"coredns": "coredns"},
    "cnpg-manager:1.30.0": {"cnpg-manager": "operator/manager_amd64"},
    "cert-manager-controller:1.11.5": {"cert-manager-controller": "controller"},
    "cert-manager-webhook:1.11.5": {"cert-manager-webhook": "webhook"},
    "cert-manager-cainjector:1.11.5": {"cert-manager-cainjector": "cainjector"},
    "cert-manager-acmesolver:1.11.5": {"cert-manager-acmesolver": "acmesolver"},
    "barman-cloud-plugin:0.14.0": {"barman-cloud-plugin": "manager"},
    "argo-rollouts:1.9.1": {"argo-rollouts": "rollouts-controller"},
    "keda-operator:2.18.1": {"keda-operator": "keda"},
    "keda-webhooks:2.18.1": {"keda-webhooks": "keda-admission-webhooks"},
    "keda-adapter:2.18.1": {"keda-adapter": "keda-adapter"},
}
"""Images of one program each: name, then program of the toolchain to path in the image."""


def program_image(name: str, programs: Mapping[str, str]) -> Image:
    """A program alone. Its path is the one that the vendor's manifests start."""
    return Image(name=name, recipe="program", programs=programs, seconds=3, group="cluster")


IMAGES = {
    image.name: image
    for image in (
        Image(name="base:trixie", recipe="base", seconds=45),
        Image(name="postgres:17", recipe="postgres", parent="base:trixie", seconds=20),
        Image(name="mysql:9.7", recipe="mysql", parent="base:trixie", seconds=60),
        Image(name="mysql-backup:9.7", recipe="mysql-backup", parent="mysql:9.7", seconds=15),
        Image(name="valkey:8.1", recipe="valkey", parent="base:trixie", seconds=6),
        Image(name="pgbouncer:1.24", recipe="pgbouncer", parent="base:trixie", seconds=15),
        Image(name="php:8.4", recipe="php", parent="base:trixie", seconds=30),
        Image(name="barman:3", recipe="barman", parent="base:trixie", seconds=30),
        Image(name="restic:0.18", recipe="restic", parent="base:trixie", seconds=20),
        Image(name="postgres-dump:17", recipe="postgres-dump", parent="base:trixie", seconds=25),
        Image(name="mysql-dump:9.7", recipe="mysql-dump", parent="mysql:9.7", seconds=20),
        *(shop_image(version) for version in ("1", "2")),
        Image(name="haproxy:3.0", recipe="haproxy", parent="base:trixie", seconds=5),
        Image(name="pause:1", recipe="pause", parent="base:trixie", seconds=1),
        Image(name="traefik:3.7", recipe="traefik", programs={"traefik": "traefik"}, seconds=5),
        Image(
            name="versitygw:1.8",
            recipe="versitygw",
            parent="base:trixie",
            programs={"versitygw": "versitygw"},
            seconds=8,
        ),
        *(program_image(name, programs) for name, programs in CLUSTER_PROGRAMS.items()),
        Image(
            name="barman-cloud-sidecar:0.14.0",
            recipe="barman-cloud-sidecar",
            parent="barman:3",
            programs={"barman-cloud-plugin": "manager"},
            seconds=5,
            group="cluster",
        ),
    )
}


def cache_directory() -> Path:
    """Where the Debian tree, logs, lock and images.json live: outside the checkout, shared by all of them."""
    top = os.environ.get("TIERSTACK_CACHE")
    base = Path(top) if top else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tierstack"
    return base / "images"


@dataclass(frozen=True, kw_only=True)
class Found:
    """A local image: its id, the recipe hash it carries and the registry digests it is known by."""

    id: str
    hash: str | None
    digests: list[str]


def inspect(name: str) -> Found | None:
    """What docker knows of a local image, or None when there is none."""
    form = '{"id": {{json .Id}}, "labels": {{json .Config.Labels}}, "digests": {{json .RepoDigests}}}'
    result = docker("image", "inspect", "--format", form, tag(name))
    if result.returncode != 0:
        return None
    raw = json.loads(result.stdout)
    return Found(id=raw["id"], hash=(raw["labels"] or {}).get(LABEL), digests=raw["digests"] or [])


def tree_hash(*paths: Path) -> str:
    """Hash of files by relative name, executable bit and content. Times and owners do not count."""
    digest = hashlib.sha256()
    for path in paths:
        files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        for file in files:
            name = file.relative_to(path) if path.is_dir() else Path(file.name)
            if "__pycache__" in name.parts:
                continue
            digest.update(f"{name}\0{os.access(file, os.X_OK)}\0{file.stat().st_size}\0".encode())
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


class Builder:
    """Makes images and remembers their ids. Safe to interrupt: each finished step is kept."""

    def __init__(self, cache: Path, quiet: bool) -> None:
        self.cache = cache
        self.quiet = quiet
        self.started = time.monotonic()
        self.official = sources.Official(json.loads((HERE / "official.json").read_text()), self.say)
        self.guard = threading.Lock()

    def say(self, name: str, text: str) -> None:
        if not self.quiet:
            print(f"[{time.monotonic() - self.started:6.1f}s] {name:<15} {text}", file=sys.stderr, flush=True)

    def recipe_hash(self, image: Image, parts: list[Path]) -> str:
        parent = IMAGES[image.parent] if image.parent else None
        text = json.dumps(
            [
                tree_hash(HERE / "recipes" / image.recipe, *parts),
                dict(image.arguments or {}),
                self.recipe_hash(parent, self.parts(parent)) if parent else None,
                os.uname().machine,
                sources.SUITE,
            ]
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def parts(self, image: Image) -> list[Path]:
        """What goes into the image besides its recipe."""
        return [*([image.context] if image.context else []), *(sources.program(name) for name in image.programs or ())]

    def state(self, name: str) -> tuple[str, str | None]:
        """("ready" | "stale" | "missing" | "unavailable", id or None), without making anything."""
        image, found = IMAGES[name], inspect(name)
        digest = self.official.digest(name)
        if found and digest and any(entry.endswith(digest) for entry in found.digests):
            return "ready", found.id
        try:
            wanted = self.recipe_hash(image, self.parts(image))
        except ImageError:
            return ("ready", found.id) if found else ("unavailable", None)
        if not found:
            return "missing", None
        return ("ready" if found.hash == wanted else "stale"), found.id

    def make(self, name: str) -> str:
        """Makes sure one image is there (its parent already is) and returns its id."""
        state, identifier = self.state(name)
        if state == "ready" and identifier:
            self.say(name, f"up to date  {identifier[7:19]}")
            return identifier
        if name != "base:trixie" and self.official.pull(name, tag(name)):
            found = inspect(name)
        else:
            image = IMAGES[name]
            if image.programs and not all(sources.found(name) for name in image.programs):
                sources.set_up(image.group)
            parts = self.parts(image)
            self.say(name, f"building, usually {image.seconds} s")
            begun = time.monotonic()
            self.build(image, parts)
            found = inspect(name)
            self.say(name, f"built in {time.monotonic() - begun:.1f} s")
        if not found:
            raise ImageError(f"{name}: docker made the image but does not know {tag(name)}")
        return found.id

    def build(self, image: Image, parts: list[Path]) -> None:
        recipe = HERE / "recipes" / image.recipe
        arguments = dict(image.arguments or {})
        with tempfile.TemporaryDirectory(prefix="image-", dir=self.cache) as scratch:
            context = image.context or recipe
            if image.name == "base:trixie":
                arguments["DEBIAN"] = sources.debian(self.official, self.cache, self.say)
            if image.programs:
                context = Path(scratch)
                for program, path in zip(parts, image.programs.values(), strict=True):
                    (context / path).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(program, context / path)
                    (context / path).chmod(0o755)
                    if path != ENTRY:
                        (context / ENTRY).symlink_to(path)
                authorities = context / "etc/ssl/certs/ca-certificates.crt"
                authorities.parent.mkdir(parents=True)
                shutil.copy2(sources.certificate_authorities(), authorities)
                if (recipe / "requirements.txt").exists():
                    sources.python_packages(image.name, recipe / "requirements.txt", context / "python")
            command = [
                "docker", "build", "--network", "host", "--force-rm", "-t", tag(image.name),
                "-f", str(recipe / "Dockerfile"), "--label", f"{LABEL}={self.recipe_hash(image, parts)}",
            ]  # fmt: skip
            for key, value in arguments.items():
                command += ["--build-arg", f"{key}={value}"]
            for key in PROXY_VARIABLES:
                if key in os.environ:
                    command += ["--build-arg", key]  # the value stays in our environment
            logged(self.cache, image.name, [*command, str(context)])


@contextlib.contextmanager
def locked(cache: Path, quiet: bool) -> Iterator[None]:
    """One build at a time on this machine; a second one waits, then finds everything ready."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not quiet:
                print("another image build is running: waiting for it", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def with_parents(names: list[str]) -> list[str]:
    """The names and what they stand on, in the order of IMAGES."""
    wanted = set(names)
    for name in names:
        parent = IMAGES[name].parent
        while parent:
            wanted.add(parent)
            parent = IMAGES[parent].parent
    return [name for name in IMAGES if name in wanted]


def record(cache: Path, ids: Mapping[str, str]) -> dict[str, str]:
    """Merges ids into images.json, whole or not at all."""
    path = cache / "images.json"
    table: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    table.update(ids)
    table = {name: table[name] for name in IMAGES if name in table}
    temporary = path.with_suffix(".partial")
    temporary.write_text(json.dumps(table, indent=2) + "\n")
    temporary.replace(path)
    return table


def make_all(builder: Builder, names: list[str], jobs: int) -> tuple[dict[str, str], list[str]]:
    """Makes images, parents first, a few at a time. Returns ids and the problems met."""
    ids: dict[str, str] = {}
    problems: list[str] = []
    futures: dict[str, Future[str]] = {}

    def one(name: str) -> str:
        parent = IMAGES[name].parent
        if parent:
            futures[parent].result()  # it is earlier in the queue, so it has at least been started
        ids[name] = identifier = builder.make(name)
        with builder.guard:
            record(builder.cache, {name: identifier})
        return identifier

    pool = ThreadPoolExecutor(max_workers=jobs)
    for name in names:
        futures[name] = pool.submit(one, name)
    for name in names:
        error = futures[name].exception()
        if isinstance(error, ImageError):
            if str(error) not in problems:
                problems.append(str(error))
        elif error:
            raise error
    return ids, problems


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="build.py", description=(__doc__ or "").split("\n\n")[0], epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="make only this image and its parents (repeatable)"
    )
    parser.add_argument(
        "--group",
        action="append",
        choices=("images", "cluster"),
        help="images of the local stack (default), or of a cluster's operators (repeatable)",
    )
    parser.add_argument("--print", dest="show", metavar="NAME", help="make it if needed and print its id")
    parser.add_argument("--list", action="store_true", help="show what exists and what is missing; make nothing")
    parser.add_argument("--json", action="store_true", help="print the table of ids as JSON")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="images built at a time (default: 2)")
    options = parser.parse_args()
    grouped = [image.name for image in IMAGES.values() if image.group in (options.group or ["images"])]
    names: list[str] = [options.show] if options.show else options.only or grouped
    unknown = [name for name in names if name not in IMAGES]
    if unknown:
        parser.error(f"no image named {', '.join(unknown)}; there are {', '.join(IMAGES)}")
    if not shutil.which("docker"):
        print("error: docker is not on PATH; install it: https://docs.docker.com/engine/install/", file=sys.stderr)
        return 1
    if docker("version").returncode != 0:
        print("error: docker does not answer; start it, or set DOCKER_HOST", file=sys.stderr)
        return 1
    quiet = bool(options.show)
    builder = Builder(cache_directory(), quiet)
    if options.list:
        states = {name: builder.state(name) for name in names}
        if options.json:
            print(
                json.dumps({name: {"state": state, "id": found} for name, (state, found) in states.items()}, indent=2)
            )
        else:
            for name, (state, found) in states.items():
                print(f"{tag(name):<32} {state:<12} {found or ''}")
        return 0
    with locked(builder.cache, quiet):
        ids, problems = make_all(builder, with_parents(names), max(1, options.jobs))
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    if options.show in ids:
        print(ids[options.show])
    elif options.json:
        print(json.dumps({name: ids[name] for name in names if name in ids}, indent=2))
    return 1 if problems else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\ninterrupted: run the same command again to go on from here", file=sys.stderr)
        os._exit(130)  # at once: threads of the pool would go on with what is queued
