"""The command imports what it needs: a check no engine, and whatever is deferred works once it is used."""

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


@pytest.mark.parametrize("stack", ["local", "staging", "prod"])
def test_a_check_imports_neither_the_engine_s_sdk_nor_a_resolver(stack: str) -> None:
    heavy = ("grpc", "google.protobuf", "opentelemetry", "pulumi_kubernetes", "pulumi_random", "octodns", "httpx")
    program = f"""
import sys
sys.argv = ["tierstack", "check", "-s", "{stack}"]
from tierstack.cli import main
try:
    main()
except SystemExit:
    pass
print(sorted(set(sys.modules) & set({heavy!r})))
"""
    assert python(program).splitlines()[-1] == "[]"


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
