"""What needs no engine: names of releases, configuration files, the wrapper that hands over secrets."""

import json
import re
import subprocess
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.app_cluster.samples import FULL, args, php, redis, release_name
from tierstack.app_cluster import (
    HealthArgs,
    HttpArgs,
    HttpServerArgs,
    MigrationArgs,
    OutboundArgs,
    RoleArgs,
    UploadsArgs,
    identity,
    limits,
    processes,
    server,
)
from tierstack.app_cluster.args import AppClusterArgs
from tierstack.app_cluster.release import checked
from tierstack.core.tier import Tier
from tierstack.platform import DockerHost
from tierstack.platform.revision import revision


def nginx(of: AppClusterArgs) -> str:
    return server.nginx(of.application, of.described)


# Releases ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"image": "sha256:" + "1" * 64},
        {"environment": {"A": "1"}},
        {"secrets": {"NEW": "x"}},
        {"php": php(children=3)},
        {"php": php(settings={"opcache.jit": "off"})},
        {"http": HttpArgs(max_body_mb=1)},
        {"roles": {"worker": RoleArgs(command=["other"])}},
        {"roles": {"worker": RoleArgs(command=["w"], environment={"QUEUE": "mail"})}},
        {"roles": {"worker": RoleArgs(command=["w"], memory_mb=64)}},
        {"more_redis": {"cache": redis("docker")}},
        {"uploads": UploadsArgs(path="/srv/other")},
        {"writable_paths": ["/srv/cache"]},
        {"http": HttpArgs(stop_seconds=7)},
        {"platform": DockerHost(name="shop", environment="prod")},
        {"database": None},
        {"hostnames": ["other.example.org"]},
    ],
    ids=str,
)
def test_what_shapes_a_container_names_another_release(changes: dict[str, Any]) -> None:
    assert release_name(args("docker", **changes)) != release_name(args("docker"))


@pytest.mark.parametrize(
    "changes",
    [
        {"replicas": 9},
        {"roles": {"worker": RoleArgs(command=["w"], count=9, max_count=12)}},
        {"http": HttpArgs(rate_limit=5, rate_burst=6)},
        {"http": HttpArgs(hsts_seconds=0)},
        {"http": HttpArgs(frame_options="DENY")},
        {"http": HttpArgs(content_security_policy="default-src 'self'")},
        {"outbound": OutboundArgs(ports=[443])},
        {"service_time_ms": 20.0, "cpu_time_ms": 3.0},
        {"migration": MigrationArgs(command=["m"], timeout_seconds=5)},
        {"hostnames": ["shop.example.org", "www.example.org"]},
    ],
    ids=str,
)
def test_what_does_not_keeps_the_release(changes: dict[str, Any]) -> None:
    before = args("docker", roles={"worker": RoleArgs(command=["w"])}) if "roles" in changes else args("docker")
    assert release_name(args("docker", **changes)) == release_name(before)


def test_a_release_is_twelve_digits_and_does_not_know_secrets() -> None:
    one, two = (release_name(args("docker", secrets={"KEY": value})) for value in ("one", "two"))
    assert one == two
    assert len(one) == 12
    assert int(one, 16)


def test_only_releases_that_can_run_together_are_taken() -> None:
    one = args("docker").described
    for weights in ([0], [0, 0], [100, -1], []):
        with pytest.raises(ValueError, match="weights"):
            checked([replace(one, weight=weight) for weight in weights])
    for current in ([False], [True, True], [False, False]):
        with pytest.raises(ValueError, match="current"):
            checked([replace(one, current=flag) for flag in current])
    with pytest.raises(ValueError, match="twice"):
        identity.known_names(args("docker").application, [one, replace(one, weight=5)])


def test_a_rotated_secret_is_another_revision() -> None:
    assert revision({"A": "1"}) != revision({"A": "2"})
    assert revision({"A": "1", "B": "2"}) == revision({"B": "2", "A": "1"})
    assert len(revision({})) == 6


# Secrets ----------------------------------------------------------------------------------------------------------


def run_wrapper(folder: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    script = processes.EXPORT.replace(processes.SECRETS, str(folder))
    return subprocess.run(["/bin/sh", "-c", script, "sh", *command], capture_output=True, text=True)


def test_the_wrapper_exports_every_secret_as_it_is(tmp_path: Path) -> None:
    values = {"APP_KEY": "a b $HOME `id` \"'\\ *", "PEM": "line 1\nline 2", "EMPTY": ""}
    for name, value in values.items():
        (tmp_path / name).write_text(value)
    shown = run_wrapper(tmp_path, "python3", "-c", "import os, json; print(json.dumps(dict(os.environ)))")
    found = json.loads(shown.stdout)
    assert {name: found[name] for name in values} == values


def test_the_wrapper_hands_over_arguments_and_exit_codes(tmp_path: Path) -> None:
    (tmp_path / "A").write_text("1")
    done = run_wrapper(tmp_path, "/bin/sh", "-c", 'echo "$1|$2"; exit 7', "sh", "two words", "*")
    assert (done.stdout, done.returncode) == ("two words|*\n", 7)


def test_the_wrapper_starts_nothing_without_its_secrets(tmp_path: Path) -> None:
    assert run_wrapper(tmp_path, "echo", "started").stdout == ""


def test_without_secrets_there_is_no_wrapper() -> None:
    bare = args("docker", database=None, redis=None)
    assert processes.with_secrets(bare.application, bare.described, ["php", "x"]) == ["php", "x"]


# Configuration files ----------------------------------------------------------------------------------------------


def test_sizes_reach_the_files() -> None:
    full = args(
        "docker",
        php=php(children=7, child_memory_mb=96),
        http=HttpArgs(max_body_mb=3, request_timeout_seconds=9),
    )
    pool, web = server.fpm(full.described), nginx(full)
    assert "pm.max_children = 7\n" in pool
    assert "php_value[memory_limit] = 96M\n" in pool
    assert "php_value[upload_max_filesize] = 3M\n" in pool
    assert "client_max_body_size 3m;" in web
    assert "fastcgi_read_timeout 9s;" in web


def test_only_the_front_controller_runs() -> None:
    text = nginx(args("docker", php=php(front_controller="app.php")))
    scripts = set(re.findall(r"fastcgi_param SCRIPT_FILENAME (\S+);", text))
    assert scripts == {"/srv/shop/public/app.php", server.PING}, "and the ping, which PHP-FPM answers without a script"
    assert "$fastcgi_script_name" not in text


@pytest.mark.parametrize(
    ("name", "is_program"),
    [
        *dict.fromkeys(["a.php", "a.PHP", "a.php5", "a.phtml", "a.phar", "a.inc", "a.pht", "a.phps"], True).items(),
        *dict.fromkeys(["a.php~", "a.php.bak", "a.inc.old", "a.php_2024", "a.php-copy", "a.php.txt"], True).items(),
        *dict.fromkeys(
            ["#a.php#", "a.php copy", "a.php,v", "a.phpold", "a.php5.gz", "a copy.php", "a.inc$"], True
        ).items(),
        *dict.fromkeys(["config.yaml~", "a.html.bak", "notes.swp", "a.rej"], True).items(),
        *dict.fromkeys(
            ["a.php.js", "a.inc.css", "a.php.html", "a.txt", "a.included", "phpinfo", "a.bakery"], False
        ).items(),
        *dict.fromkeys(["Company.Inc.pdf", "a.php.zip", "a.inc.docx", "Inc. 2024.txt", "a.phpdoc.pdf"], False).items(),
    ],
)
def test_programs_under_other_endings_are_no_files(name: str, is_program: bool) -> None:
    (pattern,) = re.findall(r'location ~\* "(.*)" \{ try_files /\.none ', nginx(args("docker")))
    assert bool(re.search(pattern, f"/folder/{name}", re.IGNORECASE)) == is_program


class _Server(BaseHTTPRequestHandler):
    status: ClassVar[dict[str, int]] = {}
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(self.status[self.path])
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def test_a_server_of_an_image_is_asked_once_whether_it_is_ready(tmp_path: Path) -> None:
    here = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    threading.Thread(target=here.serve_forever, daemon=True).start()
    ask = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1])"
    of = args(
        "docker",
        php=None,
        http_server=HttpServerArgs(command=["serve"], memory_mb=128, port=here.server_port),
        health=HealthArgs(readiness_path="/ready", client=[sys.executable, "-c", ask]),
    )
    command = [
        part.replace("/tmp/.tierstack-ready", f"{tmp_path}/ready")
        for part in processes.web_check(of.application, of.described)
    ]

    def check(ready: int, health: int) -> tuple[bool, list[str]]:
        _Server.status |= {"/ready": ready, "/health": health}
        _Server.asked.clear()
        done = subprocess.run(command, capture_output=True)
        return done.returncode == 0, list(_Server.asked)

    assert check(503, 200) == (False, ["/ready"])
    assert check(204, 200) == (True, ["/ready", "/health"])
    assert check(503, 200) == (True, ["/health"]), "a database that goes away later changes nothing"
    assert check(503, 500) == (False, ["/health"])
    here.shutdown()


def test_settings_of_the_caller_win() -> None:
    """A `php_value` of the pool would be laid over them, and comes too late for what PHP reserves at its start."""
    of = args("docker", php=php(settings={"memory_limit": "1G", "opcache.memory_consumption": "256"}))
    assert "memory_limit" not in server.fpm(of.described)
    assert "opcache" not in server.fpm(of.described)
    command = processes.fpm_command(of.described)
    options = {command[at + 1] for at, part in enumerate(command) if part == "-d"}
    assert options == {"memory_limit=1G", "opcache.memory_consumption=256", "opcache.validate_timestamps=0"}


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        ({}, 0),
        ({"opcache.memory_consumption": "256"}, 256),
        ({"opcache.memory_consumption": "256", "opcache.jit_buffer_size": "64M"}, 320),
        ({"opcache.jit_buffer_size": "67108864"}, 64),
        ({"opcache.jit_buffer_size": "1G"}, 1024),
        ({"opcache.jit_buffer_size": "off", "opcache.memory_consumption": "many"}, 0),
    ],
    ids=str,
)
def test_memory_for_opcache_is_counted(settings: dict[str, str], more: int) -> None:
    given = args("docker", php=php(settings=settings))
    assert limits.web_memory_mb(given.described) - limits.web_memory_mb(args("docker").described) == more


@pytest.mark.parametrize("body", [1, 16, 17, 128, 2048])
def test_nginx_runs_out_of_room_before_php_does(body: int) -> None:
    """nginx keeps a body until its request ends, and says 503; PHP would hand an empty one to the application."""
    of = args("docker", http=HttpArgs(max_body_mb=body))
    assert limits.bodies_mb(of.described) >= 4 * body
    assert limits.php_scratch_mb(of.described) > limits.bodies_mb(of.described)
    assert limits.nginx_memory_mb(of.described) > limits.bodies_mb(of.described)
    assert limits.web_memory_mb(of.described) == 24 * 64 + 64 + limits.bodies_mb(of.described)


@pytest.mark.parametrize(("timeout", "stop", "expected"), [(60, None, 60), (300, None, 300), (300, 20, 20)])
def test_a_stop_waits_for_the_longest_request(timeout: int, stop: int | None, expected: int) -> None:
    of = args("docker", http=HttpArgs(request_timeout_seconds=timeout, stop_seconds=stop))
    assert limits.stop_seconds(of.described) == expected
    assert f"worker_shutdown_timeout {expected}s;" in nginx(of)
    assert f"process_control_timeout = {expected}s\n" in server.fpm(of.described)
    assert limits.container_stop_seconds(of.described) > expected
    assert limits.answer_seconds(of.described) > timeout


def test_no_answer_of_php_goes_through_a_file() -> None:
    assert "fastcgi_max_temp_file_size 0;" in nginx(args("docker"))


def test_probes_never_wait_behind_the_work() -> None:
    of = args("docker", health=HealthArgs(readiness_path="/up"))
    pool, web = server.fpm(of.described), nginx(of)
    assert f"pm.status_listen = {server.SOCKETS}/php-fpm-status.sock\n" in pool
    assert f"ping.path = {server.PING}\n" in pool
    probes = web[web.index(f"listen {server.PROBES};") :]
    assert "fastcgi_pass php;" not in probes
    assert probes.count("/up") == 1, "the gate of a release, and nothing else, asks the application"


def test_logs_have_no_query_strings() -> None:
    text = nginx(args("docker"))
    log = text[text.index("log_format") : text.index("access_log")]
    assert "$request_uri" not in log
    assert "$request " not in log
    assert "$args" not in log


def test_memory_is_the_tiers_arithmetic() -> None:
    assert processes.web_memory_mb(args("docker", php=php(children=10, child_memory_mb=50)).described) == 564 + 64
    assert processes.web_memory_mb(args("docker", tier=Tier.USERS_1M).described) == 48 * 64 + 64 + 64


def test_full_arguments_are_covered() -> None:
    names = processes.secret_names(args("docker", **FULL).application)
    assert names == ["APP_KEY", "DB_PASSWORD", "REDIS_PASSWORD"]
