"""What the tests of components share: a recorder of registrations, golden files, and programs for the real engine."""

import asyncio
import difflib
import functools
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pulumi
import pytest
from google.protobuf import json_format
from pulumi.runtime import mocks, rpc
from pulumi.runtime.proto import resource_pb2

from tierstack.core.errors import ArgumentError

GOLDEN = Path(__file__).parent / "cases" / "golden"
UNKNOWN = "(known after the update)"


@dataclass(frozen=True)
class Secret:
    """A value that was marked as secret where it stood in the inputs."""

    value: Any


@dataclass
class Registered:
    """One registration, as the engine got it."""

    type: str
    name: str
    urn: str
    inputs: dict[str, Any]
    """camelCase, as on the wire; secrets are `Secret(value)`, whole numbers are ints, values not known are UNKNOWN."""
    parent: str
    """Name of the parent; empty for the stack."""
    parent_urn: str
    provider: str
    """Name of the provider resource; empty for the default one."""
    depends_on: list[str]
    """Names of all it waits for, sorted: those given, and those whose outputs it uses."""
    options: dict[str, Any]
    """Options other than the above that are set: protect, retainOnDelete, deleteBeforeReplace, customTimeouts …"""
    outputs: dict[str, Any] = field(default_factory=dict)
    """Of a component: what it registered as its outputs."""


class Recorder(mocks.MockMonitor):
    """An engine that keeps every registration whole. `outputs` gives a type's computed outputs, from its inputs."""

    def __init__(self, outputs: Mapping[str, Callable[[Registered], dict[str, Any]]] | None = None) -> None:
        super().__init__(_NoMocks())
        self.made: list[Registered] = []
        self._outputs = {**COMPUTED, **(outputs or {})}
        self._names: dict[str, str] = {}

    def RegisterResource(self, request: Any) -> Any:
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == "pulumi:pulumi:Stack":
            return resource_pb2.RegisterResourceResponse(urn=urn)
        if urn in self._names:
            raise AssertionError(f"registered twice: {urn}")
        self._names[urn] = request.name
        mocks._ensure_event_loop()
        one = Registered(
            type=request.type,
            name=request.name,
            urn=urn,
            inputs=_plain(json_format.MessageToDict(request.object)),
            parent=self._names.get(request.parent, ""),
            parent_urn=request.parent,
            provider=self._names.get(request.provider.rpartition("::")[0], ""),
            depends_on=sorted(self._names[other] for other in request.dependencies if other in self._names),
            options=_options(request),
        )
        if "__provider" in one.inputs:
            one.inputs["__provider"] = "(code)"  # a dynamic resource carries its provider pickled
        self.made.append(one)
        state = rpc.deserialize_properties(request.object)
        if request.type in self._outputs:
            state |= self._outputs[request.type](one)
        made = mocks.MockMonitor.ResourceRegistration(urn, f"{request.name}-id", state)
        self.resources[urn] = made
        waiting = rpc.serialize_properties(state, {})
        outputs = asyncio.get_event_loop().run_until_complete(waiting)
        return resource_pb2.RegisterResourceResponse(urn=urn, id=made.id if request.custom else "", object=outputs)

    def RegisterResourceOutputs(self, request: Any) -> Any:
        for one in self.made:
            if one.urn == request.urn:
                one.outputs = _plain(json_format.MessageToDict(request.outputs))
        return super().RegisterResourceOutputs(request)

    def named(self, name: str, type: str = "") -> Registered:
        """The one registration of this logical name, among those whose type contains `type`."""
        found = [one for one in self.made if one.name == name and type in one.type]
        assert len(found) == 1, f"{name!r}: {len(found)} found among {sorted(one.name for one in self.made)}"
        return found[0]

    def of_type(self, type: str) -> list[Registered]:
        """Registrations whose type token ends with `type`, by name."""
        return sorted((one for one in self.made if one.type.endswith(type)), key=lambda one: one.name)

    def names(self) -> dict[str, str]:
        """`parent/…/name` of every registration → its type token: what a stack's URNs are made of."""
        by_urn = {one.urn: one for one in self.made}

        def path(one: Registered) -> str:
            above = by_urn.get(one.parent_urn)
            return f"{path(above)}/{one.name}" if above else one.name

        return dict(sorted((path(one), one.type) for one in self.made))

    def summary(self) -> dict[str, Any]:
        """All registrations as JSON for a golden file: by name and type, secrets as `{"(secret)": value}`."""
        found: dict[str, Any] = {}
        for one in sorted(self.made, key=lambda one: (one.name, one.type)):
            shown = {
                "type": one.type,
                "parent": one.parent,
                "provider": one.provider,
                "depends_on": one.depends_on,
                "options": one.options,
                "inputs": _shown(one.inputs),
                "outputs": _shown(one.outputs),
            }
            key = one.name if one.name not in found else f"{one.name} ({one.type})"
            found[key] = {key: value for key, value in shown.items() if value}
        return found


class _NoMocks(mocks.Mocks):
    def new_resource(self, args: mocks.MockResourceArgs) -> Any:
        raise AssertionError(f"reads {args.name}")

    def call(self, args: mocks.MockCallArgs) -> Any:
        if args.token == "pulumi:pulumi:readStackResourceOutputs":
            return {}  # there is no state
        raise AssertionError(f"asks for {args.token}: a component must not look anything up")


def secret(value: Any) -> dict[str, Any]:
    """A secret output of a mocked resource."""
    return {rpc._special_sig_key: rpc._special_secret_sig, "value": value}


COMPUTED: dict[str, Callable[[Registered], dict[str, Any]]] = {
    "random:index/randomPassword:RandomPassword": lambda one: {"result": secret(f"generated-{one.name}")},
    "random:index/randomBytes:RandomBytes": lambda one: {"base64": f"bytes {one.name}"},
    "tls:index/privateKey:PrivateKey": lambda one: {
        "privateKeyPem": secret(f"private key {one.name}"),
        "publicKeyPem": f"public key {one.name}",
    },
    "tls:index/selfSignedCert:SelfSignedCert": lambda one: {"certPem": f"certificate {one.name}\n"},
    "tls:index/locallySignedCert:LocallySignedCert": lambda one: {"certPem": f"certificate {one.name}\n"},
    "tls:index/certRequest:CertRequest": lambda one: {"certRequestPem": f"request {one.name}\n"},
    "pulumi-python:dynamic/docker:PulledImage": lambda one: {"image_id": f"id of {one.inputs['image']}"},
}
"""Outputs of providers that are not inputs, made up so that a reader sees where each comes from."""


def run_program(
    program: Callable[[], Any],
    *,
    preview: bool = False,
    outputs: Mapping[str, Callable[[Registered], dict[str, Any]]] | None = None,
) -> Recorder:
    """What `program` (a function that makes components) registers. An ArgumentError passes through. `outputs`: see
    Recorder."""
    recorder = Recorder(outputs)
    pulumi.runtime.set_mocks(_NoMocks(), preview=preview, monitor=recorder)

    def body() -> None:
        program()

    try:
        pulumi.runtime.test(body)()
    except BaseException:
        abandon()
        raise
    return recorder


def value_of(make: Callable[[], Any], *, preview: bool = False) -> Any:
    """What the output given by `make` (run as a program) resolves to."""
    found: list[Any] = []
    pulumi.runtime.set_mocks(_NoMocks(), preview=preview, monitor=Recorder())
    pulumi.runtime.test(lambda: pulumi.Output.from_input(make()).apply(found.append))()
    return found[0] if found else UNKNOWN


def refused(make: Callable[[], Any]) -> ArgumentError:
    """The ArgumentError that `make` raises; fails if it raises none, or has registered anything by then."""
    recorder = Recorder()
    pulumi.runtime.set_mocks(_NoMocks(), monitor=recorder)
    with pytest.raises(ArgumentError) as raised:
        make()
    asyncio.get_event_loop().run_until_complete(pulumi.runtime.stack.wait_for_rpcs())
    assert not recorder.made, f"registered before the check: {[one.name for one in recorder.made]}"
    return raised.value


def abandon() -> None:
    """End what a refused program left waiting, which would otherwise go on in the next program of the same process and
    fail that."""
    loop = asyncio.get_event_loop()
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))


def golden(name: str, value: Any) -> None:
    """`value` (anything JSON) equals the file tests/cases/golden/`name`; TIERSTACK_UPDATE_GOLDEN=1 rewrites it."""
    file = GOLDEN / name
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    if os.environ.get("TIERSTACK_UPDATE_GOLDEN"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return
    again = "write it with TIERSTACK_UPDATE_GOLDEN=1 and read its diff before you commit it"
    if not file.exists():
        pytest.fail(f"no golden file {name}; {again}", pytrace=False)
    before = file.read_text()
    if text != before:
        lines = list(difflib.unified_diff(before.splitlines(), text.splitlines(), "golden", "now", lineterm="", n=4))
        shown = "\n".join(lines[:120] + ([f"… {len(lines) - 120} lines more"] if len(lines) > 120 else []))
        pytest.fail(f"{name} has changed; if that is meant, {again}\n{shown}", pytrace=False)


def _options(request: Any) -> dict[str, Any]:
    """Options that are set and say something about what happens to the resource."""
    names = (
        "protect",
        "retainOnDelete",
        "deleteBeforeReplace",
        "customTimeouts",
        "ignoreChanges",
        "importId",
        "additionalSecretOutputs",
        "replaceOnChanges",
        "aliases",
        "version",
    )
    given = json_format.MessageToDict(request)
    return {name: given[name] for name in names if given.get(name)}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        signature = value.get(rpc._special_sig_key)
        if signature == rpc._special_secret_sig:
            return Secret(_plain(value.get("value")))
        if signature == rpc._special_resource_sig:
            return f"resource {value['urn'].split('::')[-1]}"
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if value == rpc.UNKNOWN:
        return UNKNOWN
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _shown(value: Any) -> Any:
    if isinstance(value, Secret):
        return {"(secret)": _shown(value.value)}
    if isinstance(value, dict):
        return {key: _shown(entry) for key, entry in value.items()}
    return [_shown(entry) for entry in value] if isinstance(value, list) else value


@dataclass
class Stack:
    """A program under the real engine, in a folder and with a file backend of its own."""

    folder: Path
    name: str = "test"
    environment: dict[str, str] = field(default_factory=dict)

    def write(self, program: str) -> None:
        """Set the program: Python that imports tierstack and makes components."""
        (self.folder / "__main__.py").write_text(program)
        if not (self.folder / "Pulumi.yaml").exists():
            (self.folder / "state").mkdir()
            (self.folder / "Pulumi.yaml").write_text(f"name: {self.name}\nruntime: python\n")
            self.run("stack", "init", self.name)

    def copy(self, folder: Path) -> "Stack":
        """The same stack with its state in another folder, which what is done there does not touch."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return replace(self, folder=folder)

    def run(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """`pulumi …` in the folder; its output when it fails."""
        command = ["pulumi", "--non-interactive", "--color=never", *arguments]
        done = subprocess.run(command, cwd=self.folder, env=self.environ(), capture_output=True, text=True)
        if check and done.returncode != 0:
            pytest.fail(f"{' '.join(command)} failed:\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}", pytrace=False)
        return done

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """`pulumi …` in the folder, to be killed while it runs."""
        command = ["pulumi", "--non-interactive", "--color=never", *arguments, f"--stack={self.name}"]
        silent = subprocess.DEVNULL
        return subprocess.Popen(command, cwd=self.folder, env=self.environ(), stdout=silent, stderr=silent)

    def environ(self) -> dict[str, str]:
        """What every command runs with."""
        root = Path(__file__).parent.parent
        return {
            **os.environ,
            "PULUMI_BACKEND_URL": f"file://{self.folder}/state",
            "PULUMI_CONFIG_PASSPHRASE": "tests",
            "PYTHONPATH": f"{root / 'components'}:{root}",
            **self.environment,
        }

    def up(self, *arguments: str, check: bool = True) -> str:
        done = self.run("up", "--yes", "--skip-preview", f"--stack={self.name}", *arguments, check=check)
        return done.stdout + done.stderr

    def preview(self, *arguments: str) -> str:
        return self.run("preview", "--diff", f"--stack={self.name}", *arguments).stdout

    def unchanged(self) -> None:
        """A preview, also after a refresh of every resource, that has nothing to do."""
        self.preview("--expect-no-changes")
        self.preview("--expect-no-changes", "--refresh")

    def destroy(self) -> None:
        self.run("destroy", "--yes", "--skip-preview", f"--stack={self.name}")

    def outputs(self) -> dict[str, Any]:
        return json.loads(self.run("stack", "output", "--json", "--show-secrets", f"--stack={self.name}").stdout)

    def state(self) -> str:
        """The state file's own text, as it lies on the disk."""
        (file,) = (self.folder / "state" / ".pulumi" / "stacks" / self.name).glob("*.json")
        return file.read_text()


@functools.cache
def image(name: str) -> str:
    """Id of a local test image, such as `php:8.4` (see images); skips where Docker or the image is absent.

    A name that no image has is a mistake of the test, which a skip would hide.
    """
    root = Path(__file__).parent.parent
    command = ["python3", str(root / "images/build.py"), "--print", name]
    done = subprocess.run(command, capture_output=True, text=True)
    if "no image named" in done.stderr:
        pytest.fail(done.stderr.strip(), pytrace=False)
    if done.returncode != 0:
        pytest.skip(f"no image {name}: {done.stderr.strip()[-200:]}")
    return done.stdout.strip()


def built(lines: Iterable[str], files: Mapping[str, bytes]) -> str:
    """The id of an image that a Dockerfile of these lines makes of files, by path in its context."""
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for name, content in {"Dockerfile": "\n".join(lines).encode(), **files}.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    context.seek(0)
    made, _ = docker_client().images.build(fileobj=context, custom_context=True, rm=True, forcerm=True)
    return str(made.id)


def run_command(*command: str, stdin: str | None = None) -> str:
    """What a command prints; fails with its words where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, input=stdin)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


def docker_client() -> Any:
    """The daemon, or a skip where none answers."""
    import docker

    try:
        client = docker.from_env()
        client.ping()
    except docker.errors.DockerException as error:
        pytest.skip(f"no Docker daemon answers: {error}")
    return client


def containers_of(platform: str) -> Iterator[Any]:
    """Containers whose name starts with the platform's, running or not."""
    for one in docker_client().containers.list(all=True, ignore_removed=True):
        if one.name.startswith(f"{platform}-"):
            yield one
