"""What external-dns is handed, rendered by the real engine and judged by its own schema."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support import Stack

PROGRAM = """
from tierstack.dns_records import *
from tierstack.platform import Kubernetes

DNSRecords("dns", DNSRecordsArgs(
    domain="shop.example",
    web=[WebHostArgs(ipv4=["198.51.100.1"]), WebHostArgs(host="www", alias="@")],
    mail=MailArgs(brevo=BrevoArgs()),
    publish=PublishArgs(external_dns=ExternalDnsArgs()),
    platform=Kubernetes(name="shop", render_to="rendered"),
))
"""


def test_the_rendered_endpoint_passes_the_schema_of_external_dns(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    stack.write(PROGRAM)
    stack.up()
    (file,) = (tmp_path / "rendered").rglob("*dnsendpoint*.yaml")
    made = yaml.safe_load(file.read_text())
    records = {f"{one['dnsName']} {one['recordType']}": one["targets"] for one in made["spec"]["endpoints"]}
    assert records["shop.example A"] == ["198.51.100.1"]
    assert records["brevo1._domainkey.shop.example CNAME"] == ["b1.shop-example.dkim.brevo.com"]
    schemas = os.environ.get("TIERSTACK_SCHEMAS")
    if not schemas or not shutil.which("kubeconform"):
        pytest.skip("no kubeconform with schemas: run `make setup`")
    command = ["kubeconform", "-strict", "-schema-location", schemas, str(file)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
