"""Commands of Docker's client on the host of a stack."""

import os
import shutil
import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tierstack.engine.project import UnreachableError, UsageError
from tierstack.platform import claim, daemon

_SHOWN = 1500  # characters of what a command printed that a message repeats: the end, where the cause is


class CommandError(UsageError):
    """A command on the host failed."""

    code = 1


@dataclass(frozen=True)
class Host:
    """A Docker host. Its commands have sessions of their own: a Ctrl-C reaches the command that runs them, which then
    decides what has to be put back, and not Docker's client in the middle of that."""

    address: str | None
    """Of its daemon. None: that of the environment."""

    @property
    def environment(self) -> dict[str, str]:
        """What Docker's client runs with."""
        return {**os.environ, **({"DOCKER_HOST": self.address} if self.address else {})}

    def check(self) -> None:
        """Raise UnreachableError where commands cannot be run."""
        if shutil.which("docker") is None:
            raise UnreachableError("Docker's command-line client (`docker`) is not on the PATH: install it")
        if not daemon.answers(self.address):
            raise UnreachableError(f"{claim.unanswered(self.address)}. {claim.TO_REACH}")

    def run(self, command: Sequence[str], stdin: str | None = None) -> str:
        """What a command prints. Raises CommandError where it fails."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, input=stdin, start_new_session=True
        )
        if done.returncode:
            said = (done.stdout + done.stderr).strip()[-_SHOWN:]
            raise CommandError(f"`{_short(command)}` failed with exit code {done.returncode}: {said}")
        return done.stdout

    def follow(self, command: Sequence[str], each: Callable[[str], None]) -> None:
        """Carry out a command that takes long: `each` gets every line that it prints. Raises CommandError where it
        fails."""
        last: deque[str] = deque(maxlen=20)
        with subprocess.Popen(
            command,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stdout
            try:
                for line in process.stdout:
                    last.append(line)
                    each(line)
            except BaseException:
                process.kill()  # the client alone: what it began is removed by who began it
                raise
        if process.returncode:
            said = "".join(last).strip()[-_SHOWN:]
            raise CommandError(f"`{_short(command)}` failed with exit code {process.returncode}: {said}")

    def succeeds(self, command: Sequence[str]) -> bool:
        """Whether a command succeeds; what it prints is of no interest."""
        return not subprocess.run(command, env=self.environment, capture_output=True, start_new_session=True).returncode


def _short(command: Sequence[str]) -> str:
    shown = " ".join(command)
    return shown if len(shown) <= 160 else f"{shown[:157]}..."
