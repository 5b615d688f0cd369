"""Imports point one way, each library has one home, and the checker of both sees what it should."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.layering import ALLOWED, HOMES, check, part_of, violations

PROBE = Path(__file__).parents[2] / "probe"


def test_imports_point_one_way_and_libraries_stay_at_home() -> None:
    found = violations(PROBE)
    assert not found, "\n".join(["the layering is broken:", *map(str, found)])


def test_every_part_of_the_package_has_its_place() -> None:
    parts = {part_of(path.relative_to(PROBE).as_posix()) for path in PROBE.rglob("*.py")}
    assert parts <= set(ALLOWED), f"no rule says what these may import: {parts - set(ALLOWED)}"


@pytest.mark.parametrize(
    ("file", "line", "rule"),
    [
        ("engine/sender.py", "import probe.edges.smtp", "engine imports edges"),
        ("engine/sender.py", "from probe.edges import smtp", "engine imports edges"),
        ("engine/sender.py", "from probe import metrics", "engine imports metrics"),
        ("engine/sender.py", "from ..config import Settings", "engine imports config"),
        ("engine/sender.py", "from .. import demo", "engine imports demo"),
        ("engine/deep/sender.py", "from ...edges.smtp import S", "engine imports edges"),
        ("engine/sender.py", "from probe.config_file import load", "engine imports config"),
        ("core/tag.py", "from probe.ports import Clock", "core imports ports"),
        ("core/tag.py", "from probe import __version__", "core imports __init__"),
        ("core/tag.py", "import aiohttp", "aiohttp has its home in edges/* only"),
        ("core/tag.py", "import asyncio", "does not import asyncio"),
        ("ports.py", "from probe.engine.sender import Sender", "ports imports engine"),
        ("edges/smtp.py", "from probe.engine import sender", "edges imports engine"),
        ("edges/smtp.py", "from probe.metrics import Exporter", "edges imports metrics"),
        ("metrics.py", "from probe.app import run", "metrics imports app"),
        ("config.py", "from probe.cli import main", "config imports cli"),
        ("app.py", "import probe.cli", "app imports cli"),
        ("__main__.py", "from probe.app import run", "__main__ imports app"),
        ("edges/imap.py", "import aiosmtplib", "aiosmtplib has its home in edges/smtp* only"),
        ("edges/smtp.py", "import aioimaplib", "aioimaplib has its home in edges/imap* only"),
        ("edges/smtp.py", "import dns.resolver", "dns has its home in edges/resolver* only"),
        ("app.py", "import sqlite3", "sqlite3 has its home in edges/journal* only"),
        ("cli.py", "from ruamel.yaml import YAML", "ruamel has its home in config* only"),
        ("app.py", "from pydantic import BaseModel", "pydantic has its home in config* only"),
        ("edges/clock.py", "import requests", "requests has no home"),
        ("edges/imap.py", "import xml.etree.ElementTree", "xml is not used"),
        ("edges/journal.py", "from pickle import loads", "pickle is not used"),
    ],
)
def test_an_import_against_the_rules_is_found(file: str, line: str, rule: str) -> None:
    [found] = check(file, f'"""A module."""\n\n{line}\n')
    assert str(found).startswith(f"probe/{file}:3: ")
    assert rule in found.rule


@pytest.mark.parametrize(
    ("file", "line", "rule"),
    [
        ("edges/clock.py", "eval('1')", "eval() is not used"),
        ("edges/clock.py", "exec('1')", "exec() is not used"),
        ("edges/clock.py", "os.system('true')", "os.system() is not used"),
        ("edges/clock.py", "subprocess.run('true', shell=True)", "no shell"),
        ("edges/clock.py", "importlib.import_module('probe.app')", "import_module() is not used"),
        ("core/tag.py", "time.time()", "does not call time.time()"),
        ("core/tag.py", "datetime.now()", "does not call datetime.now()"),
    ],
)
def test_a_call_against_the_rules_is_found(file: str, line: str, rule: str) -> None:
    [found] = check(file, line)
    assert rule in found.rule


def test_imports_for_type_checking_and_inside_functions_count() -> None:
    source = """
if TYPE_CHECKING:
    from probe.edges.smtp import Smtp

def build():
    import probe.config
"""
    assert [violation.line for violation in check("engine/sender.py", source)] == [3, 6]


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("__main__.py", "from probe.cli import main"),
        ("cli.py", "from probe import __version__, app"),
        ("app.py", "from probe.engine.sender import Sender"),
        ("app.py", "from probe.edges import smtp, imap"),
        ("engine/sender.py", "from probe.ports import Clock"),
        ("engine/sender.py", "from probe.engine.reaper import Reaper"),
        ("engine/sender.py", "from .reaper import Reaper"),
        ("core/tag.py", "from probe.core.model import Tag"),
        ("core/records/spf.py", "from ..model import Tag"),
        ("ports.py", "from probe.core.model import Tag"),
        ("config_yaml.py", "from ruamel.yaml import YAML"),
        ("config/source.py", "import pydantic_settings"),
        ("metrics/series.py", "import prometheus_client"),
        ("edges/web/metrics.py", "from prometheus_client import exposition"),
        ("edges/imap_session.py", "from aioimaplib import aioimaplib"),
        ("edges/clock.py", "import re; re.compile('a')"),
    ],
)
def test_imports_by_the_rules_are_left_alone(file: str, line: str) -> None:
    assert not check(file, line)


def test_nobody_may_import_what_imports_them() -> None:
    circles = [(a, b) for a in ALLOWED for b in ALLOWED[a] if a in ALLOWED[b]]
    assert not circles
    assert all(homes for homes in HOMES.values())
