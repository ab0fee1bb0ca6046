"""The Pulumi engine as the verbs use it: a stack that exists when it is needed, and a configuration for one run.

Every run gets a configuration file of its own, made from `Pulumi.<stack>.yaml` and what the command line says, so that
nothing the engine writes down (such as the salt of a new stack) changes a file of the checkout.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from tierstack.engine import yaml_file
from tierstack.engine.child import child
from tierstack.engine.locks import Lock, explained, is_refusal, locks
from tierstack.engine.project import LockedError, Project, StackConfig, UnreachableError, UsageError
from tierstack.engine.project import masked as hidden
from tierstack.stack.namespaces import split

_WRONG_PASSPHRASE = "incorrect passphrase"
_NOISE = (
    "The resources in the stack have been deleted, but",
    "If you want to remove the stack completely",  # `down` has done it, or says why not
)


def note(text: str) -> None:
    """Say something to the person who runs the command, beside the output."""
    print(text, file=sys.stderr, flush=True)


class RunFailedError(Exception):
    """The engine failed."""

    def __init__(self, messages: Sequence[str]) -> None:
        super().__init__("\n".join(messages))
        self.messages = list(messages)
        """What the engine and the program reported as errors."""


_DEFAULT_PROVIDER = re.compile(r"::pulumi:providers:[\w-]+::default(_[\w-]+)?$")


@dataclass
class Outcome:
    """How a run of the engine ended."""

    ok: bool
    changes: dict[str, int] = field(default_factory=dict[str, int])
    """Operations by kind: create, update, replace, delete, same."""
    steps: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """(operation, URN) of every step, in their order."""
    resources: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Each resource of a step as it will be: `type`, `urn`, `custom`, `provider`, `inputs`."""
    messages: list[str] = field(default_factory=list[str])
    """What the engine and the program reported as errors."""
    no_stack: bool = False
    """Whether nothing ran because the backend does not have the stack. Nobody was told."""

    def only_creates(self) -> bool:
        """Whether nothing that exists is touched."""
        return set(self.changes) <= {"create", "same", "read", "refresh"}

    @property
    def changing(self) -> list[tuple[str, str]]:
        """The steps that change a resource; `same` and `refresh` change none.

        Without the engine's own default providers, as in its display: that of dynamic resources has the whole
        configuration as its inputs, so any key changes it, also one that no resource has.
        """
        return [
            (operation, urn)
            for operation, urn in self.steps
            if operation not in ("same", "refresh") and not _DEFAULT_PROVIDER.search(urn)
        ]


@dataclass(frozen=True)
class Engine:
    """The engine on one stack of a project, with one configuration."""

    project: Project
    stack: str
    workspace: Path
    environment: Mapping[str, str]
    secrets_provider: str | None = None
    """What encrypts secrets of a new stack (`secretsprovider` of its file). None: the backend's default."""

    @property
    def config_file(self) -> Path:
        """The configuration of this run."""
        return self.workspace / f"Pulumi.{self.stack}.yaml"

    def create_stack(self) -> bool:
        """Make the stack in the backend; false where it exists. Runs in the workspace, away from the checkout."""
        secrets = [f"--secrets-provider={self.secrets_provider}"] if self.secrets_provider else []
        done = self._call("stack", "init", self.stack, "--no-select", *secrets, cwd=self.workspace)
        if held := locks(done.stderr):
            if self.exists():
                return False  # who only looks may go on, and `run` tells who may not
            if self._unlocked(held):
                return self.create_stack()
        if done.returncode != 0 and "already exists" not in done.stderr:
            raise UsageError(_not_set_up(done.stderr) or f"the stack could not be made:\n{done.stderr.strip()}")
        return done.returncode == 0

    def exists(self) -> bool:
        """Whether the backend has the stack."""
        done = self._call("stack", "ls", "--json", cwd=self.workspace)
        if done.returncode != 0:
            wrong = _not_set_up(done.stderr) or f"the backend does not answer:\n{done.stderr.strip()}"
            raise UnreachableError(wrong)
        names = [str(one["name"]).rpartition("/")[2] for one in json.loads(done.stdout)]
        return self.stack in names

    def run(self, verb: str, *arguments: str, quiet: bool = False) -> Outcome:
        """`pulumi verb`, its output passed on as it comes unless `quiet`; never asks anything.

        The lock of a run that was killed on this machine is removed. Any other lock is told, as a failure.
        """
        outcome = self._run(verb, arguments, quiet)
        while held := locks("\n".join(outcome.messages)):
            if not self._unlocked(held):
                outcome.messages = [explained(self.stack, held)]
                if not quiet:
                    note(outcome.messages[0])
                return outcome
            outcome = self._run(verb, arguments, quiet)
        return outcome

    def preview_json(self, *arguments: str) -> tuple[bool, str]:
        """`pulumi preview --json` as events, which have the outputs of the stack: whether it succeeded, and what it
        printed."""
        flags = ("--json", "--show-sames", "--show-replacement-steps", *arguments)
        streaming = {"PULUMI_ENABLE_STREAMING_JSON_PREVIEW": "true"}
        done = self._call("preview", *self._stack_flags(), *flags, cwd=self.project.root, more=streaming)
        return done.returncode == 0, done.stdout if "{" in done.stdout else f"{done.stdout}{done.stderr}".strip()

    def _unlocked(self, held: Sequence[Lock]) -> bool:
        """Remove the locks of runs that were killed; false where one may be held."""
        if not all(lock.is_stale() for lock in held):
            return False
        for lock in held:
            note(f"the last run was killed ({lock}): its lock is removed")
            lock.remove()
        return True

    def _run(self, verb: str, arguments: Sequence[str], quiet: bool) -> Outcome:
        log = self.workspace / "events"
        log.unlink(missing_ok=True)
        command = ["pulumi", verb, *self._stack_flags(), f"--event-log={log}", *arguments]
        if sys.stdout.isatty():
            command.append("--color=always")
        said: list[str] = []
        with child(command, self.project.root, self.environment) as process:
            for line in process.stdout or ():
                if any(noise in line for noise in _NOISE):
                    continue
                said.append(line.rstrip())
                if not quiet and not (is_refusal(line) or self._is_missing(line) or _not_set_up(line)):
                    sys.stdout.write(line)
                    sys.stdout.flush()
        outcome = _outcome(log, process.returncode == 0)
        if not outcome.ok and (wrong := _not_set_up("\n".join(said))):
            raise UsageError(wrong)
        if not outcome.ok and not outcome.messages:
            outcome.messages = [line for line in said if line][-20:]
            outcome.no_stack = any(self._is_missing(line) for line in said)
        if any(_WRONG_PASSPHRASE in line for line in (*outcome.messages, *said)):
            outcome.messages = [self._wrong_passphrase()]
            if not quiet:
                note(outcome.messages[0])
        return outcome

    def _is_missing(self, line: str) -> bool:
        """Whether a line of the engine says that the backend does not have the stack."""
        return f"no stack named '{self.stack}' found" in line

    def _wrong_passphrase(self) -> str:
        return (
            f"Pulumi.{self.stack}.yaml, or the state of {self.stack}, is encrypted with another passphrase. Set that "
            "one: PULUMI_CONFIG_PASSPHRASE, or PULUMI_CONFIG_PASSPHRASE_FILE (`make setup` writes another one to "
            ".state/passphrase in each clone). If it is lost and the stack was never applied: remove "
            "`encryptionsalt` from the file, and set its secrets again with `pulumi config set --secret`"
        )

    def set_secret(self, path: Sequence[str], value: str) -> None:
        """Put an encrypted value into the configuration of this run: `path` below a key of the project. It is handed
        over by the standard input, because others see the arguments of a process."""
        key = f"{self.project.name}:{path[0]}" + "".join(f'["{one}"]' for one in path[1:])
        flags = ("--path", "--secret", "--stack", self.stack, f"--config-file={self.config_file}")
        command = ["pulumi", "--non-interactive", "--color=never", "config", "set", *flags, "--", key]
        done = subprocess.run(
            command, cwd=self.workspace, env=self.environment, capture_output=True, text=True, input=value
        )
        if done.returncode != 0:
            raise UsageError(_not_set_up(done.stderr) or f"a secret could not be encrypted:\n{done.stderr.strip()}")

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs; secrets stay masked."""
        done = self._call("stack", "output", "--json", "--stack", self.stack, cwd=self.workspace)
        return cast(dict[str, Any], json.loads(done.stdout)) if done.returncode == 0 and done.stdout.strip() else {}

    def deployment(self) -> dict[str, Any]:
        """The state: resources and operations under way; secrets stay encrypted. Empty where there is none."""
        return cast(dict[str, Any], self._export().get("deployment") or {})

    def change_deployment(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Put what `change` makes of the state in its place; the engine then forgets all operations under way."""
        found = self._export()
        file = self.workspace / "deployment.json"
        file.write_text(json.dumps({**found, "deployment": change(found.get("deployment") or {})}))
        try:
            self._must("stack", "import", "--stack", self.stack, f"--file={file}")
        finally:
            file.unlink()

    def resources(self) -> list[dict[str, Any]]:
        """The resources in the state, with type, URN, id and protection."""
        return cast(list[dict[str, Any]], self.deployment().get("resources") or [])

    def held(self) -> list[dict[str, Any]]:
        """The resources of a stack that was brought up. Raises UsageError where it was not, or is down."""
        if not self.exists() or not (held := self.resources()):
            raise UsageError(f"{self.stack} was never brought up from here; `tierstack up -s {self.stack}` does")
        return held

    def unprotect(self, urns: Sequence[str] = ()) -> None:
        """Take the protection from resources; without `urns` from every one of the stack."""
        self._must("state", "unprotect", *(urns or ["--all"]), "--yes", "--stack", self.stack)

    def remove_stack(self) -> None:
        """Remove the empty stack from the backend; its configuration file stays."""
        self._must("stack", "rm", self.stack, "--yes", "--preserve-config")

    def _stack_flags(self) -> list[str]:
        return ["--stack", self.stack, f"--config-file={self.config_file}", "--non-interactive"]

    def _export(self) -> dict[str, Any]:
        done = self._call("stack", "export", "--stack", self.stack, cwd=self.workspace)
        if done.returncode != 0 and (wrong := _not_set_up(done.stderr)):
            raise UsageError(wrong)
        return json.loads(done.stdout) if done.returncode == 0 and done.stdout.strip() else {}

    def _must(self, *arguments: str) -> None:
        done = self._call(*arguments, cwd=self.workspace)
        while held := locks(done.stderr):
            if not self._unlocked(held):
                raise LockedError(explained(self.stack, held))
            done = self._call(*arguments, cwd=self.workspace)
        if done.returncode != 0:
            raise UsageError(f"`pulumi {' '.join(arguments)}` failed:\n{done.stderr.strip()}")

    def _call(
        self, *arguments: str, cwd: Path, more: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        command = ["pulumi", "--non-interactive", "--color=never", *arguments]
        variables = {**self.environment, **(more or {})}
        return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, check=False)


@contextmanager
def engine(
    project: Project,
    stack: str,
    config: StackConfig,
    *,
    throwaway: bool = False,
    beside: Engine | None = None,
    environment: Mapping[str, str] | None = None,
) -> Generator[Engine, None, None]:
    """The engine on `stack` with `config`.

    `throwaway`: on an empty backend of its own that is gone afterwards, without the user's passphrase; encrypted
    values stay masked, because nothing that is rendered may hold them. `beside`: with `throwaway`, on the backend of
    that run, which has made the stack. `environment`: further variables.
    """
    if shutil.which("pulumi") is None:
        raise UsageError(
            "`pulumi` is not on PATH; install it (https://www.pulumi.com/docs/iac/download-install/). In a checkout of "
            "tierstack: `make setup`, then `. .state/env.sh`"
        )
    with tempfile.TemporaryDirectory(prefix="tierstack-") as folder:
        workspace = Path(folder)
        (workspace / "Pulumi.yaml").write_text(yaml.safe_dump({"name": project.name, "runtime": "python"}))
        document = _document(project, config, masked=throwaway)
        (workspace / f"Pulumi.{stack}.yaml").write_text(yaml_file.text(document))
        variables = {**_environment(workspace if throwaway else None), **(environment or {})}
        if beside:
            variables["PULUMI_BACKEND_URL"] = beside.environment["PULUMI_BACKEND_URL"]
        yield Engine(project, stack, workspace, variables, None if throwaway else document.get("secretsprovider"))


_ENCRYPTION = ("encryptionsalt", "encryptedkey", "secretsprovider")


def _document(project: Project, config: StackConfig, *, masked: bool) -> dict[str, Any]:
    """The configuration file of a run: what the user wrote, and the platform as `config` has it."""
    given = cast(dict[str, Any], config.document.get("config") or {})
    parts = {key: split(key) for key in given}
    written = {f"{parts[key][0] or project.name}:{parts[key][1]}": value for key, value in given.items()}
    values = {f"{project.name}:{key}": value for key, value in config.values.items()}
    if masked:
        document = {key: value for key, value in config.document.items() if key not in _ENCRYPTION}
        return {**document, "config": {**hidden(written)[0], **values}}
    document = config.document
    if '"secure"' not in json.dumps(given):
        # The salt belongs to one passphrase. Where nothing is encrypted with it, another one will do as well.
        document = {key: value for key, value in document.items() if key != "encryptionsalt"}
    # Sections with secrets keep what is encrypted in them.
    encrypted = {f"{project.name}:{key}" for key in config.secret_keys}
    return {
        **document,
        "config": {**written, **{key: value for key, value in values.items() if key not in encrypted}},
    }


def _environment(throwaway: Path | None) -> dict[str, str]:
    environment = {
        **os.environ,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DEBUG_COMMANDS": "true",  # shows --event-log, from which the outcome is read
    }
    if throwaway is None:
        if backend := os.environ.get("PULUMI_BACKEND_URL"):
            environment["PULUMI_BACKEND_URL"] = _unbreakable(backend)
        return environment
    (throwaway / "state").mkdir()
    environment.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)
    return {
        **environment,
        "PULUMI_BACKEND_URL": f"file://{throwaway}/state",
        "PULUMI_CONFIG_PASSPHRASE": "thrown away",
        # Without a checkpoint after each resource: nothing real is made that could be lost track of.
        "PULUMI_EXPERIMENTAL": "true",
        "PULUMI_SKIP_CHECKPOINTS": "true",
    }


def _not_set_up(said: str) -> str | None:
    """What to do where the engine lacks a backend or a passphrase; None where `said` is something else."""
    if "PULUMI_ACCESS_TOKEN must be set" in said:
        return (
            "no backend is chosen for the state. Keep it in files: `pulumi login --local`, or set "
            "PULUMI_BACKEND_URL=file:///path/to/state, and set PULUMI_CONFIG_PASSPHRASE. Or keep it in Pulumi Cloud: "
            "`pulumi login`"
        )
    if "passphrase must be set" in said:
        return (
            "no passphrase is set for the secrets in the state; set PULUMI_CONFIG_PASSPHRASE or "
            "PULUMI_CONFIG_PASSPHRASE_FILE"
        )
    return None


def _unbreakable(backend: str) -> str:
    """The address of a backend such that a kill at any moment leaves a state that can be read.

    In a directory every file has one of attributes beside it, which nobody needs but everybody reads, and which is
    written in place: killed in that moment, the engine leaves a stack that ends every command with `failed to load
    checkpoint: EOF` (gocloud.dev/blob/fileblob, `metadata`). The state itself is written aside and renamed.
    """
    if not backend.startswith("file:") or "metadata=" in backend:
        return backend
    return f"{backend}{'&' if '?' in backend else '?'}metadata=skip"


def _outcome(log: Path, ok: bool) -> Outcome:
    outcome = Outcome(ok)
    if not log.is_file():
        return outcome
    for line in log.read_text().splitlines():
        event: dict[str, Any] = json.loads(line)
        if summary := event.get("summaryEvent"):
            counts = cast(dict[str, int], summary.get("resourceChanges") or {})
            outcome.changes = {kind: count for kind, count in counts.items() if count}
        if step := event.get("resourcePreEvent"):
            metadata = step["metadata"]
            outcome.steps.append((metadata["op"], metadata["urn"]))
            if new := metadata.get("new"):
                outcome.resources.append(new)
        said = event.get("diagnosticEvent")
        if said and said.get("severity") == "error" and said["message"].strip():
            outcome.messages.append(said["message"].strip())
    return outcome
