"""The Helm chart, rendered by Helm itself: what comes out is Kubernetes', and ours unchanged."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import helm_python as helm
import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from probe.cli import main

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "mailprobe"
RULES = ROOT / "deploy" / "prometheus"
yaml = YAML(typ="safe", pure=True)
ALL: Json = yaml.load(CHART / "ci" / "all-values.yaml")
EMPTY: Json = {}
KINDS = ("ConfigMap mailprobe", "Service mailprobe", "StatefulSet mailprobe")
OURS = {"monitoring.coreos.com/v1"}  # The operator's kinds are not among Kubernetes' schemas.
OLDEST, NEWEST = "1.25", kubernetes_validate.latest_version()


@cache
def chart() -> helm.Chart:
    return helm.Chart.load(CHART)


def rendered(values: Json, name: str = "mailprobe") -> dict[str, Json]:
    """The objects by kind and name, as `helm template` has them."""
    return _rendered(json.dumps(values), name)


@cache
def _rendered(values: str, name: str) -> dict[str, Json]:
    files = chart().render(json.loads(values), name=name, namespace="mail")
    texts = [text for path, text in files.items() if path.endswith(".yaml")]
    objects = [one for text in texts for one in yaml.load_all(text) if one]
    found = {f"{one['kind']} {one['metadata']['name']}": one for one in objects}
    assert len(found) == len(objects)
    return found


def pod(values: Json) -> Json:
    template: Json = rendered(values)["StatefulSet mailprobe"]["spec"]["template"]
    return template


def container(values: Json) -> Json:
    [one] = pod(values)["spec"]["containers"]
    return dict(one)


def configured(values: Json) -> Json:
    text = rendered(values)["ConfigMap mailprobe"]["data"]["mailprobe.yaml"]
    return dict(yaml.load(text))


# ---- as a chart


@pytest.mark.parametrize("values", [EMPTY, ALL], ids=["default", "all"])
def test_lint_finds_nothing(values: Json) -> None:
    report = helm.lint(CHART, values, strict=True)
    assert report["errors"] == []
    assert [m["error"] for m in report["messages"]] == ["icon is recommended"]


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("values", [EMPTY, ALL], ids=["default", "all"])
def test_kubernetes_takes_every_object(values: Json, version: str) -> None:
    for one in rendered(values).values():
        if one["apiVersion"] not in OURS:
            kubernetes_validate.validate(one, version, strict=True)


def test_its_versions_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert yaml.load(CHART / "Chart.yaml")["appVersion"] == project["version"]


def test_by_default_there_is_nothing_that_a_bare_cluster_lacks() -> None:
    assert tuple(rendered(EMPTY)) == KINDS


def test_everything_else_can_be_switched_on() -> None:
    rules = {f"PrometheusRule mailprobe-{path.stem}" for path in (RULES / "rules").glob("*.yml")}
    assert set(rendered(ALL)) - set(KINDS) - rules == {
        "ConfigMap mailprobe-dashboards",
        "NetworkPolicy mailprobe",
        "PodDisruptionBudget mailprobe",
        "ServiceMonitor mailprobe",
    }


def test_two_releases_do_not_meet() -> None:
    assert rendered(ALL, "fra").keys().isdisjoint(rendered(ALL, "ams"))


def test_every_value_has_its_place_in_the_schema_and_the_other_way_round() -> None:
    values, schema = chart().values, chart().schema
    assert schema is not None
    assert values.keys() == schema["properties"].keys() - {"global"}
    for key, part in schema["properties"].items():
        if "additionalProperties" in part:
            assert part["additionalProperties"] is False
            assert part["properties"].keys() >= set(values[key]) - {"cpu", "memory"}, key


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"replicas": 2}, "'replicas' not allowed"),
        ({"image": {"tagg": "1"}}, "/image': additional properties 'tagg' not allowed"),
        ({"image": {"digest": "latest"}}, "/image/digest"),
        ({"config": "instance: fra1"}, "/config': got string, want object"),
        ({"config": {"web": {"listen": "0.0.0.0"}}}, "/config/web/listen"),
        ({"config": {"web": {"listen": "127.0.0.1:9841"}}}, "/config/web/listen"),
        ({"secrets": ["smtp"]}, "/secrets/0': got string, want object"),
        ({"secrets": [{"name": "smtp", "items": [{"key": "a", "path": "../b"}]}]}, "/items/0/path"),
        ({"persistence": {"size": "much"}}, "/persistence/size"),
        ({"persistence": {"storageClass": "fast"}}, "'storageClass' not allowed"),
        ({"serviceMonitor": {"enabled": "yes"}}, "/serviceMonitor/enabled': got string"),
        ({"podLabels": {"team": 1}}, "/podLabels/team': got number, want string"),
        ({"networkPolicy": {"ports": [0]}}, "/networkPolicy/ports/0"),
        ({"prometheusRule": {"runbooksUrl": "mailprobe/runbooks"}}, "/prometheusRule/runbooksUrl"),
        ({"terminationGracePeriodSeconds": 1}, "/terminationGracePeriodSeconds"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_what_the_chart_does_not_know_is_refused(values: Json, told: str) -> None:
    with pytest.raises(helm.HelmValuesError, match=re.escape(told)):
        rendered(values)


# ---- the pod


@pytest.mark.parametrize("values", [EMPTY, ALL], ids=["default", "all"])
def test_it_may_do_as_little_as_possible(values: Json) -> None:
    spec = pod(values)["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(values)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_it_is_the_user_of_the_image() -> None:
    [user] = re.findall(r"^USER (\d+):(\d+)$", (ROOT / "deploy/Dockerfile").read_text(), re.M)
    context = pod(EMPTY)["spec"]["securityContext"]
    assert (str(context["runAsUser"]), str(context["runAsGroup"])) == user


def test_there_is_one_of_it() -> None:
    assert rendered(ALL)["StatefulSet mailprobe"]["spec"]["replicas"] == 1


def test_what_mends_a_pod_that_cannot_start_reaches_it() -> None:
    """In turn, Kubernetes waits for a broken pod to be ready before it replaces it."""
    assert rendered(EMPTY)["StatefulSet mailprobe"]["spec"]["podManagementPolicy"] == "Parallel"


@pytest.mark.parametrize(("values", "scheme"), [(EMPTY, "HTTP"), (ALL, "HTTPS")])
def test_the_kubelet_asks_as_the_pages_are_served(values: Json, scheme: str) -> None:
    one = container(values)
    asked = {
        probe: one[f"{probe}Probe"]["httpGet"] for probe in ("startup", "liveness", "readiness")
    }
    assert {probe: get["path"] for probe, get in asked.items()} == {
        "startup": "/-/healthy",
        "liveness": "/-/healthy",
        "readiness": "/-/ready",
    }
    assert {get["scheme"] for get in asked.values()} == {scheme}


def test_another_port_is_the_same_everywhere() -> None:
    values = {"config": {"web": {"listen": "[::]:8080"}}}
    assert container(values)["ports"] == [{"name": "http", "containerPort": 8080}]
    assert rendered(values)["Service mailprobe"]["spec"]["ports"][0]["port"] == 8080


def test_what_the_configuration_probes_can_be_reached() -> None:
    """Otherwise the policy would make a relay look unreachable."""
    config = {
        "relays": {
            "own": {"host": "smtp.test", "port": 2525},
            "pool": {"nodes": ["a=192.0.2.1:1587", "192.0.2.2", "2001:db8::7", "[2001:db8::8]:26"]},
            "none": None,
        },
        "mailboxes": {
            "corp": {"imap": {"host": "imap.test", "port": 993}},
            "back": {"imap": {}},
            "no": None,
        },
    }
    policy = rendered({"config": config, "networkPolicy": {"enabled": True}})
    [egress] = policy["NetworkPolicy mailprobe"]["spec"]["egress"]
    usual = [25, 465, 587, 143, 993, 443]
    tcp = [one["port"] for one in egress["ports"] if one["protocol"] == "TCP"]
    assert tcp == [53, *usual, 2525, 1587, 26]
    assert {"port": 53, "protocol": "UDP"} in egress["ports"]


def test_the_journal_outlives_the_pod_unless_told_otherwise() -> None:
    [claim] = rendered(EMPTY)["StatefulSet mailprobe"]["spec"]["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == "journal"
    assert "storageClassName" not in claim["spec"]
    brief = rendered({"persistence": {"enabled": False}})["StatefulSet mailprobe"]["spec"]
    assert "volumeClaimTemplates" not in brief
    assert {"name": "journal", "emptyDir": {"sizeLimit": "1Gi"}} in (
        brief["template"]["spec"]["volumes"]
    )


def test_a_digest_wins_over_a_tag() -> None:
    assert container({"image": {"tag": "edge"}})["image"] == "mailprobe:edge"
    assert container(ALL)["image"] == f"registry.example/mailprobe@{ALL['image']['digest']}"


def test_secrets_are_files_and_nowhere_else() -> None:
    [volume] = [one for one in pod(ALL)["spec"]["volumes"] if one["name"] == "secrets"]
    assert volume["projected"] == {
        "defaultMode": 0o440,
        "sources": [{"secret": secret} for secret in ALL["secrets"]],
    }
    [mount] = [one for one in container(ALL)["volumeMounts"] if one["name"] == "secrets"]
    assert mount == {"name": "secrets", "mountPath": "/run/secrets", "readOnly": True}
    assert configured(ALL)["secrets_dir"] == "/run/secrets"
    assert "secrets_dir" not in configured(EMPTY)


def test_another_configuration_is_another_pod() -> None:
    def checksum(values: Json) -> str:
        return str(pod(values)["metadata"]["annotations"]["checksum/config"])

    assert checksum(EMPTY) == checksum({"resources": {"limits": {"memory": "1Gi"}}})
    assert checksum(EMPTY) != checksum({"config": {"instance": "ams"}})


# ---- what is in it


def test_the_configuration_says_what_was_given() -> None:
    expected = {"journal": "/data/journal.sqlite3", "secrets_dir": "/run/secrets", **ALL["config"]}
    expected["web"] = {"listen": "0.0.0.0:9841", **ALL["config"]["web"]}
    assert configured(ALL) == expected


def test_mailprobe_takes_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()  # As Kubernetes lays a volume out.
    for name in ("tag_key", "relays__pool__password", "mailboxes__corp__imap__password"):
        (tmp_path / "..data" / name).write_text("long enough for a key")
        (tmp_path / name).symlink_to(tmp_path / "..data" / name)
    values = {key: ALL[key] for key in ("config", "secrets")}
    settings = configured(values)
    del settings["web"], settings["relays"]["pool"]["ca_file"]  # Files of other volumes.
    settings["secrets_dir"] = str(tmp_path)
    file = tmp_path / "..data" / "mailprobe.yaml"
    with file.open("w") as out:
        yaml.dump(settings, out)
    assert main(["config", "check", str(file)]) == 0


def test_the_rules_are_those_that_ship() -> None:
    objects = rendered({"prometheusRule": {"enabled": True}})
    for path in (RULES / "rules").glob("*.yml"):
        assert objects[f"PrometheusRule mailprobe-{path.stem}"]["spec"] == yaml.load(path)


def test_their_links_can_lead_elsewhere() -> None:
    said = [
        text
        for name, one in rendered(ALL).items()
        if name.startswith("PrometheusRule")
        for group in one["spec"]["groups"]
        for rule in group["rules"]
        for text in (rule.get("annotations") or {}).values()
    ]
    for url in ("https://mailprobe.example/runbooks/", "https://grafana.example/d/mailprobe-"):
        assert any(text.startswith(url) for text in said)
    assert not any("http://" in text for text in said)


def test_prometheus_takes_the_rules(tmp_path: Path) -> None:
    assert shutil.which("promtool"), "promtool is missing: `make test` installs it"
    for name, one in rendered(ALL).items():
        if name.startswith("PrometheusRule"):
            with (tmp_path / f"{name.split()[1]}.yml").open("w") as out:
                yaml.dump(one["spec"], out)
    command = ["promtool", "check", "rules", *map(str, tmp_path.glob("*.yml"))]
    end = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert end.returncode == 0, end.stdout + end.stderr


@pytest.mark.parametrize("part", ["prometheusRule", "dashboards"])
def test_a_chart_whose_links_were_not_followed_says_so(tmp_path: Path, part: str) -> None:
    """As from a download that leaves symbolic links out."""
    bare = tmp_path / "mailprobe"
    shutil.copytree(CHART, bare, ignore=shutil.ignore_patterns("files"))
    with pytest.raises(helm.HelmRenderError, match="package"):
        helm.Chart.load(bare).render({part: {"enabled": True}}, name="a", namespace="mail")


def test_the_dashboards_are_those_that_ship() -> None:
    dashboards = rendered(ALL)["ConfigMap mailprobe-dashboards"]
    assert dashboards["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert dashboards["data"] == {
        f"mailprobe-{path.name}": path.read_text() for path in (ROOT / "dashboards").glob("*.json")
    }


def test_a_scrape_bears_the_names_that_the_rules_want() -> None:
    [endpoint] = rendered(ALL)["ServiceMonitor mailprobe"]["spec"]["endpoints"]
    assert {"targetLabel": "job", "replacement": "mailprobe"} in endpoint["relabelings"]
    assert endpoint["scheme"] == "https"
    selected = rendered(ALL)["ServiceMonitor mailprobe"]["spec"]["selector"]["matchLabels"]
    assert selected.items() <= rendered(ALL)["Service mailprobe"]["metadata"]["labels"].items()
    assert selected.items() <= pod(ALL)["metadata"]["labels"].items()


def test_a_package_stands_alone(tmp_path: Path) -> None:
    with tarfile.open(helm.package(CHART, destination=tmp_path)) as archive:
        members = {one.name: one for one in archive.getmembers()}
        files = {name for name in members if name.startswith("mailprobe/files/")}
        assert all(one.isfile() for one in members.values())
        sources = {
            "prometheus": [RULES / "base_urls.txt", *(RULES / "rules").glob("*.yml")],
            "dashboards": [*(ROOT / "dashboards").glob("*.json")],
        }
        packed = {}
        for folder, paths in sources.items():
            home = RULES if folder == "prometheus" else ROOT / "dashboards"
            packed |= {f"mailprobe/files/{folder}/{path.relative_to(home)}": path for path in paths}
        assert files == packed.keys()
        for name, path in packed.items():
            inside = archive.extractfile(name)
            assert inside is not None
            assert inside.read() == path.read_bytes()
