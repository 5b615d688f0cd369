"""The world in containers: what stands in its files fits together, and its programs take them.

No engine runs here, so the files are held against the schema of Compose and against each other, and
`tests/live/test_compose.py` lets real servers run with them.
"""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from probe.cli import main

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "deploy" / "compose"
FILE = COMPOSE / "compose.yaml"
yaml = YAML(typ="safe", pure=True)
WORLD: Json = yaml.load(FILE)
SERVICES: dict[str, Json] = WORLD["services"]
SETTINGS: Json = yaml.load(COMPOSE / "mailprobe/mailprobe.yaml")
NODES = ("node1", "node2", "node3")
every_service = pytest.mark.parametrize("name", SERVICES)


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """A program that ended well."""
    program = str(command[0])
    assert shutil.which(program), f"{program} is missing: `make test` installs it"
    end = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60)
    assert end.returncode == 0, end.stdout + end.stderr
    return end


def mounts(service: Json) -> Iterator[tuple[str, str, bool]]:
    """Source, target, and whether it is only read."""
    for text in service.get("volumes", ()):
        source, target, *mode = text.split(":")
        yield source, target, mode == ["ro"]


# ---- as a Compose file


def test_it_keeps_to_the_schema() -> None:
    run(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", FILE)


def test_it_is_the_whole_world() -> None:
    assert SERVICES.keys() == {
        *NODES,
        *("dovecot", "mailprobe", "prometheus", "alertmanager", "pager", "grafana"),
    }


@every_service
def test_what_a_service_refers_to_exists(name: str) -> None:
    service = SERVICES[name]
    assert set(service["networks"]) <= WORLD["networks"].keys()
    assert set(service.get("depends_on", ())) <= SERVICES.keys()
    assert set(service.get("secrets", ())) <= WORLD["secrets"].keys()
    for source, _, read_only in mounts(service):
        if source in WORLD["volumes"]:
            continue
        assert (COMPOSE / source).exists(), source
        assert read_only, source


def test_every_volume_and_secret_is_used() -> None:
    sources = {source for one in SERVICES.values() for source, *_ in mounts(one)}
    assert WORLD["volumes"].keys() <= sources
    assert WORLD["secrets"].keys() == set(SERVICES["mailprobe"]["secrets"])
    for secret in WORLD["secrets"].values():
        assert (COMPOSE / secret["file"]).is_file()


@every_service
def test_an_image_is_built_here_or_of_one_version(name: str) -> None:
    service = SERVICES[name]
    assert re.search(r":v?\d[\w.-]*$", service["image"])
    if name == "mailprobe":
        assert service["build"]["args"] == {"BASE": f"docker.io/library/{python()}"}
    elif "build" not in service:
        assert re.search(r":v?\d+\.\d+\.\d+(-|$)", service["image"])


def python() -> str:
    """What the pager runs on, so that it costs no other image."""
    return str(SERVICES["pager"]["image"])


@pytest.mark.parametrize("folder", ["postfix", "dovecot"])
def test_a_server_is_built_from_one_version_with_what_stands_beside(folder: str) -> None:
    recipe = (COMPOSE / folder / "Dockerfile").read_text()
    [base] = re.findall(r"^ARG BASE=(\S+)$", recipe, re.MULTILINE)
    assert re.fullmatch(r"debian:\d+\.\d+-slim", base)
    copied = [
        name
        for line in re.findall(r"^COPY (?:--\S+ )?(.+) \S+$", recipe, re.MULTILINE)
        for name in line.split()
    ]
    assert {*copied, "Dockerfile"} == {path.name for path in (COMPOSE / folder).iterdir()}


@every_service
def test_every_service_tells_whether_it_is_well(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] == "CMD"
    assert check["interval"] and check["timeout"] and check["retries"]


@every_service
def test_nothing_is_open_to_other_machines(name: str) -> None:
    for port in SERVICES[name].get("ports", ()):
        assert port.startswith("127.0.0.1:")


@pytest.mark.parametrize("name", ["mailprobe", "pager"])
def test_what_is_ours_may_do_as_little_as_possible(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("user") != "0"


# ---- mailprobe


def test_it_is_built_from_the_recipe_that_ships() -> None:
    build = SERVICES["mailprobe"]["build"]
    recipe = COMPOSE / build["context"] / build["dockerfile"]
    assert recipe.resolve() == ROOT / "deploy" / "Dockerfile"
    assert build["args"].keys() <= set(re.findall(r"^ARG (\w+)=", recipe.read_text(), re.M))
    assert ("journal", "/data", False) in mounts(SERVICES["mailprobe"])


def test_mailprobe_takes_its_configuration(tmp_path: Path) -> None:
    text = (COMPOSE / "mailprobe/mailprobe.yaml").read_text()
    file = tmp_path / "mailprobe.yaml"
    file.write_text(text.replace("/run/secrets/", f"{COMPOSE}/secrets/"))
    assert main(["config", "check", str(file)]) == 0


def test_its_secrets_are_those_that_it_is_given() -> None:
    text = (COMPOSE / "mailprobe/mailprobe.yaml").read_text()
    assert set(re.findall(r"/run/secrets/(\w+)", text)) == set(SERVICES["mailprobe"]["secrets"])


def test_it_knows_the_nodes_by_their_names_and_addresses() -> None:
    addresses = [f"{name}={SERVICES[name]['networks']['mail']['ipv4_address']}" for name in NODES]
    assert SETTINGS["relays"]["pool"]["nodes"] == addresses
    assert (
        SETTINGS["mailboxes"]["corp"]["imap"]["host"]
        == SERVICES["dovecot"]["networks"]["mail"]["ipv4_address"]
    )


def test_nobody_is_given_the_address_of_another() -> None:
    [plan] = WORLD["networks"]["mail"]["ipam"]["config"]
    given, whole = ip_network(plan["ip_range"]), ip_network(plan["subnet"])
    for service in SERVICES.values():
        if "mail" in service["networks"] and isinstance(service["networks"], dict):
            address = ip_address(service["networks"]["mail"]["ipv4_address"])
            assert address in whole and address not in given


# ---- the mail servers


def test_postfix_knows_every_parameter() -> None:
    for arguments in (("-n",), ("-M",), ("-P",)):
        assert run("postconf", "-c", COMPOSE / "postfix", *arguments).stderr == ""


def test_the_nodes_hand_over_where_dovecot_listens() -> None:
    ways = run("postconf", "-c", COMPOSE / "postfix", "-h", "transport_maps").stdout
    address = SERVICES["dovecot"]["networks"]["mail"]["ipv4_address"]
    assert set(re.findall(r"lmtp:inet:([\d.]+:\d+)", ways)) == {f"{address}:24"}
    assert "port = 24\n" in run("doveconf", "-c", COMPOSE / "dovecot/dovecot.conf", "-n").stdout


def test_the_mailbox_opens_with_the_password_of_the_secret() -> None:
    password = (COMPOSE / "secrets/imap_password").read_text().strip()
    assert f"args = password={password}\n" in (COMPOSE / "dovecot/dovecot.conf").read_text()


@pytest.mark.parametrize("script", ["postfix/smtp-is-up", "dovecot/imap-is-up"])
def test_a_health_check_is_a_good_script(script: str) -> None:
    run("bash", "-n", COMPOSE / script)


# ---- those who watch


def test_prometheus_takes_its_configuration_and_the_rules(tmp_path: Path) -> None:
    shutil.copy(COMPOSE / "prometheus/prometheus.yml", tmp_path)
    targets = {target: source for source, target, _ in mounts(SERVICES["prometheus"])}
    (tmp_path / "rules").symlink_to((COMPOSE / targets["/etc/prometheus/rules"]).resolve())
    said = run("promtool", "check", "config", tmp_path / "prometheus.yml").stdout
    assert f"{len([*(tmp_path / 'rules').glob('*.yml')])} rule files found" in said


def test_the_pager_has_every_name_that_alertmanager_calls() -> None:
    [(source, target, _)] = [m for m in mounts(SERVICES["alertmanager"]) if m[2]]
    assert f"--config.file={target}/alertmanager.yml" in SERVICES["alertmanager"]["command"]
    routes = (COMPOSE / source / "alertmanager.yml").read_text()
    called = set(re.findall(r"url: 'http://([^/']+)/", routes))
    assert called == set(SERVICES["pager"]["networks"]["monitoring"]["aliases"])


def test_grafana_finds_what_it_is_to_show() -> None:
    targets = {target: COMPOSE / source for source, target, _ in mounts(SERVICES["grafana"])}
    [provider] = yaml.load(targets["/etc/grafana/provisioning"] / "dashboards/mailprobe.yaml")[
        "providers"
    ]
    assert [*targets[provider["options"]["path"]].glob("*.json")]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (targets[provider["options"]["path"]] / Path(home).name).is_file()


def test_the_pager_prints_whom_it_is_for_and_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pager = runpy.run_path(str(COMPOSE / "pager/pager.py"))["Call"]
    with ThreadingHTTPServer(("127.0.0.1", 0), pager) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            for status in ("firing", "resolved"):
                call(server.server_port, status)
        finally:
            server.shutdown()
    assert capsys.readouterr().out.splitlines() == [
        "pager/office: FIRING MailProbeNodeAtFault: Node node2 holds mail back."
        " http://mailprobe:9841/runbooks/MailProbeNodeAtFault",
        "pager/office: RESOLVED MailProbeNodeAtFault: Node node2 holds mail back.",
    ]


def call(port: int, status: str) -> None:
    """Call it as Alertmanager does."""
    alert = {
        "status": status,
        "labels": {"alertname": "MailProbeNodeAtFault"},
        "annotations": {
            "summary": "Node node2 holds mail back.",
            "runbook_url": "http://mailprobe:9841/runbooks/MailProbeNodeAtFault",
        },
    }
    body = json.dumps({"alerts": [alert]}).encode()
    url, host = f"http://127.0.0.1:{port}/office", {"Host": "pager.example"}
    with urllib.request.urlopen(urllib.request.Request(url, body, host), timeout=10) as answer:
        assert answer.status == 204
