"""The command imports what it needs: a check no engine, and whatever is deferred works once it is used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tierstack.cli import deferred

ROOT = Path(__file__).resolve().parents[2]


def python(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


LIBRARIES = {"click", "dns", "idna", "yaml", "pulumi"}
"""What a check needs beside Python; of Pulumi only the stand-ins of `deferred`."""
HEAVY = {"pulumi.output", "dns.resolver", "asyncio", "http.client", "ssl", "unittest"}
HEAVY |= {"importlib.metadata", "email", "csv", "zipfile", "tempfile", "gzip"}
"""Modules that take long, of what it may import."""


@pytest.mark.parametrize("stack", ["local", "staging", "prod"])
def test_a_check_imports_only_what_it_needs(stack: str) -> None:
    """Imports are nine tenths of a check's time; who adds one sees it here, on a busy machine too."""
    program = f"""
import sys
loaded = set(sys.modules)  # what the environment itself loads at the start
sys.argv = ["tierstack", "check", "-s", "{stack}"]
from tierstack.cli import main
try:
    main()
except SystemExit:
    pass
run = [name for name, module in sys.modules.items() if type(module).__name__ != "_Deferred"]
own = {{"tierstack", "stacks", *(name.partition(".")[0] for name in loaded), *sys.stdlib_module_names}}
found = {{name.partition(".")[0].lstrip("_") for name in run}} - {{name.lstrip("_") for name in own}}
print(sorted(name for name in found if not name.startswith("cython_")))  # what the parser of YAML is built with
print(sorted((set(run) - loaded) & {HEAVY!r}))
"""
    *_, libraries, heavy = python(program).splitlines()
    assert set(ast.literal_eval(libraries)) <= LIBRARIES
    assert ast.literal_eval(heavy) == []


def test_what_is_deferred_is_itself_once_it_is_used() -> None:
    program = """
from tierstack.cli import deferred
deferred.install()
from tierstack.database.args import DatabaseWithReplicasArgs
import sys, pulumi
from tierstack.tls import args, alerts
import typing
assert "grpc" not in sys.modules
assert type(sys.modules["tierstack.database"]).__name__ == "_Deferred"
from tierstack import AppCluster, DatabaseWithReplicas
assert DatabaseWithReplicasArgs is sys.modules["tierstack.database"].DatabaseWithReplicasArgs
assert issubclass(DatabaseWithReplicas, pulumi.ComponentResource)
assert pulumi.Output is sys.modules["pulumi.output"].Output
assert "grpc" in sys.modules
import dns.resolver
try:
    raise dns.resolver.NXDOMAIN
except dns.resolver.NXDOMAIN:
    pass
import pulumi.dynamic, pulumi_random
import importlib.metadata
answers = [importlib.metadata.version(name) for name in ("idna", "click", "idna")]
assert answers == [importlib.metadata.distribution(name).version for name in ("idna", "click", "idna")]
try:
    import tierstack.database.no_such_module
except ModuleNotFoundError:
    pass
try:
    from tierstack.redis_cluster import no_such_name
except ImportError as error:
    print(error)
"""
    assert "cannot import name 'no_such_name' from 'tierstack.redis_cluster'" in python(program)


def test_every_package_with_a_component_is_deferred() -> None:
    packages = {
        f"tierstack.{file.parent.name}"
        for file in (ROOT / "components" / "tierstack").glob("*/__init__.py")
        if "(Component)" in file.read_text()
    }
    assert packages == deferred.PACKAGES


def test_the_names_of_the_package_are_there_and_no_others() -> None:
    program = """
import tierstack
assert all(getattr(tierstack, name) is not None for name in tierstack.__all__)
from tierstack import *
try:
    tierstack.AppClutser
except AttributeError as error:
    print(error)
"""
    assert "module 'tierstack' has no attribute 'AppClutser'" in python(program)
