"""What the image's recipe promises; that it keeps it is shown by tests/live/test_image.py."""

from __future__ import annotations

import fnmatch
import json
import re
import tomllib
from pathlib import Path

from probe import __version__

ROOT = Path(__file__).parents[2]
ALLOWED = (ROOT / ".dockerignore").read_text().splitlines()


def instructions() -> list[tuple[str, str]]:
    """Each instruction of the Dockerfile with its arguments."""
    text = (ROOT / "deploy/Dockerfile").read_text()
    whole = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    lines = [" ".join(line.split()) for line in whole.splitlines() if line.strip()]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


STEPS = instructions()


def last(word: str) -> str:
    return [rest for each, rest in STEPS if each == word][-1]


def copied() -> list[str]:
    """What is copied out of the context."""
    outside = [rest.split() for word, rest in STEPS if word == "COPY" and "--from" not in rest]
    return [source for sources in outside for source in sources[:-1]]


def test_its_entry_is_the_program_and_its_default_the_daemon() -> None:
    assert json.loads(last("ENTRYPOINT")) == ["mailprobe"]
    assert json.loads(last("CMD")) == ["run", "--config", "/etc/mailprobe/mailprobe.yaml"]


def test_its_user_is_a_number_and_not_root() -> None:
    user, group = last("USER").split(":")
    assert int(user) > 0 and int(group) > 0
    assert f"--chown={user}:{group} /data /data" in last("COPY")


def test_its_volume_signal_and_health() -> None:
    assert json.loads(last("VOLUME")) == ["/data"]
    assert last("STOPSIGNAL") == "SIGTERM"
    assert last("HEALTHCHECK").endswith('CMD ["mailprobe", "healthcheck"]')


def test_both_stages_stand_on_the_base_that_is_told() -> None:
    assert STEPS[0] == ("ARG", "BASE=docker.io/library/python:3.13-slim")
    assert [rest for word, rest in STEPS if word == "FROM"] == ["${BASE} AS build", "${BASE}"]


def test_no_step_needs_a_shell() -> None:
    for word, rest in STEPS:
        if word == "RUN":
            assert json.loads(rest)[0] in (
                "python3",
                "/build/bin/pip",
                "/opt/mailprobe/bin/python3",
            )


def test_what_is_downloaded_is_locked() -> None:
    steps = [json.loads(rest) for word, rest in STEPS if word == "RUN" and "/build/bin/pip" in rest]
    assert steps
    for step in steps:
        assert {"--require-hashes", "--no-index", "--no-deps"} & set(step), step


def test_its_label_is_the_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f'org.opencontainers.image.version="{__version__}"' in last("LABEL")
    assert f'org.opencontainers.image.licenses="{project["license"]}"' in last("LABEL")
    assert f'org.opencontainers.image.description="{project["description"]}"' in last("LABEL")


def test_its_revision_is_an_argument_of_the_last_stage_told_as_label_and_to_the_program() -> None:
    last_stage = STEPS[max(n for n, (word, _) in enumerate(STEPS) if word == "FROM") :]
    assert ("ARG", "REVISION=unknown") in last_stage
    assert 'org.opencontainers.image.revision="${REVISION}"' in last("LABEL")
    assert 'MAILPROBE_REVISION="${REVISION}"' in last("ENV").split()


def test_the_builder_is_sent_what_is_copied_and_no_more() -> None:
    rules = [line for line in ALLOWED if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert [rule[1:] for rule in rules if rule.startswith("!")] == sorted(copied(), key=place)
    assert rules[-1] == "**/__pycache__", "what was compiled here would be in the wheel"


def test_all_that_the_wheel_is_made_of_is_copied() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = [*wheel["packages"], *wheel["force-include"]]
    needed += [project["project"]["readme"], *project["project"]["license-files"]]
    missing = [one for one in needed if not any(fnmatch.fnmatch(one, each) for each in copied())]
    assert not missing, f"the Dockerfile does not copy {missing}"


def place(source: str) -> int:
    """Where a source stands in the allow-list."""
    return ALLOWED.index(f"!{source}") if f"!{source}" in ALLOWED else -1
