"""The command line as users and service managers meet it: what it prints, and its exit codes."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from probe import __version__
from probe.cli import main
from probe.config import example, schema
from probe.demo import SCENARIOS

ROOT = Path(__file__).parents[2]
GOOD = """\
tag_key: 0123456789abcdef
instance: fra1
relays: {pool: {host: smtp.example.com, tls: none, username: a, password: hunter2}}
senders: {shop: {address: probe@shop.example}}
mailboxes:
  corp:
    address: probe@corp.example
    imap: {host: imap.corp.example, username: probe, password: hunter2}
"""
# In the places of the daemon and the demo, to see how they are called.
STAND_INS = """
import types
def module(name, **members):
    sys.modules[name] = made = types.ModuleType(name)
    made.__dict__.update(members)
def told(*args, **kwargs):
    print(*args, sorted(kwargs.items()))
    return 7
def run(settings, again, in_force, *, revision):
    in_force(again())
    return told(settings.instance, revision=revision)
module("probe.app", run=run)
module("probe.demo", run=told, DEFAULT="usual", SCENARIOS={"usual": 60.0, "healthy": 90.0})
module("probe.edges.log", configure=lambda level, form: print("log", level, form))
"""


def mailprobe(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The program's end, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(arguments, environ)
        except SystemExit as end:
            code = int(end.code or 0)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def process(*arguments: str, before: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The program's end, in a process of its own in which something was done before."""
    start = f"import sys\n{before}\nfrom probe.__main__ import main\nsys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", start, *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.fixture
def good(tmp_path: Path) -> str:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return str(path)


@pytest.fixture
def bad(tmp_path: Path) -> str:
    path = tmp_path / "bad.yaml"
    path.write_text(GOOD + "journel: x\nroutes: [{relay: us}]\n")
    return str(path)


def test_a_good_file_and_what_is_in_it(good: str) -> None:
    end = mailprobe("config", "check", good)

    assert end.returncode == 0
    assert end.stdout == f"{good} is good: 1 relay, 1 sender, 1 mailbox, 1 combination\n"
    assert end.stderr == (
        "warning: relays.pool: the password goes over the network in the clear (tls: none)\n"
    )


def test_every_error_of_a_bad_file_one_a_line(bad: str) -> None:
    end = mailprobe("config", "check", bad)

    assert (end.returncode, end.stdout) == (2, "")
    assert end.stderr.splitlines() == [
        f"{bad}:9: journel: unknown key; did you mean 'journal'?",
        f"{bad}:10: routes.1.relay: no relay is named 'us'; there is pool",
    ]


def test_the_example_and_the_schema_are_printed() -> None:
    assert mailprobe("config", "example").stdout == example()
    assert json.loads(mailprobe("config", "schema").stdout) == json.loads(schema())


def test_the_file_is_the_option_else_the_variable_else_the_usual(good: str, bad: str) -> None:
    assert mailprobe("config", "check", good, MAILPROBE_CONFIG=bad).returncode == 0
    assert mailprobe("config", "check", MAILPROBE_CONFIG=good).returncode == 0
    usual = mailprobe("run", MAILPROBE_CONFIG="")

    assert usual.returncode == 2
    assert usual.stderr.startswith("/etc/mailprobe/mailprobe.yaml: cannot be read")


def test_run_hands_the_settings_over_can_read_them_again_and_returns_its_code(good: str) -> None:
    end = process("run", "--config", good, before=STAND_INS)

    told = "fra1 [('revision', '')]\n"
    assert (end.returncode, end.stdout) == (7, "log info logfmt\n" * 2 + told)


def test_run_tells_which_revision_the_image_is_of(good: str) -> None:
    end = process("run", "--config", good, before=STAND_INS, MAILPROBE_REVISION="5e1fa2b")

    assert end.stdout.endswith("fra1 [('revision', '5e1fa2b')]\n")
    assert "MAILPROBE_REVISION" not in end.stderr


def test_run_tells_warnings_in_its_log(good: str) -> None:
    module = (
        "import types\nsys.modules['probe.app'] = types.SimpleNamespace(run=lambda *_, **__: 7)"
    )
    end = process("run", "--config", good, before=module)

    assert end.returncode == 7
    (line,) = end.stderr.splitlines()
    assert re.fullmatch(
        r'ts=\S+ level=warning logger=probe.config msg="relays.pool: the password .*"', line
    )


@pytest.mark.parametrize("late", [False, True])
def test_options_of_the_log_win_before_and_after_the_command(good: str, late: bool) -> None:
    options = ["--log-level", "debug", "--log-format", "json"]
    command = ["run", "--config", good]
    end = process(*([*command, *options] if late else [*options, *command]), before=STAND_INS)

    assert end.stdout.startswith("log debug json\n")


def test_run_refuses_a_bad_file(bad: str) -> None:
    assert process("run", "--config", bad, before=STAND_INS).returncode == 2


def test_run_that_is_told_to_stop_before_it_has_begun_has_stopped_well(tmp_path: Path) -> None:
    path = tmp_path / "mailprobe.yaml"
    os.mkfifo(path)
    command = [sys.executable, "-m", "probe", "run", "--config", str(path)]
    started = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
    with started:
        with path.open("wb"):  # Opens when its configuration is read, which waits for more.
            started.terminate()
        _, told = started.communicate(timeout=60)

    assert (started.returncode, told) == (0, b"")


def test_demo_hands_its_options_over() -> None:
    options = ["--scenario", "healthy", "--port", "0", "--duration", "1m30s", "--keep"]
    end = process("demo", *options, before=STAND_INS)

    assert end.returncode == 7
    told = end.stdout.splitlines()[1]
    assert told.startswith("healthy ")
    assert told.endswith("[('duration', 90.0), ('keep', True), ('port', 0)]")


@pytest.mark.parametrize(
    ("options", "scenario", "duration"),
    [([], "usual", 60.0), (["--scenario=healthy"], "healthy", 90.0)],
)
def test_demo_takes_as_long_as_its_scenario_does(
    options: list[str], scenario: str, duration: float
) -> None:
    end = process("demo", *options, before=STAND_INS)

    told = end.stdout.splitlines()[1]
    assert told.startswith(f"{scenario} ")
    assert told.endswith(f"[('duration', {duration}), ('keep', False), ('port', None)]")


def test_demo_names_all_scenarios_to_who_asks_for_another() -> None:
    end = mailprobe("demo", "--scenario", "nonsense")

    assert end.returncode == 2
    last = end.stderr.splitlines()[-1]
    assert all(f"'{scenario}'" in last for scenario in SCENARIOS)


def test_demo_without_its_servers_says_what_to_install() -> None:
    missing = "sys.modules['aiosmtpd'] = None"
    end = process("demo", before=missing)

    assert (end.returncode, end.stdout) == (1, "")
    assert end.stderr == "mailprobe: the demo needs aiosmtpd: install mailprobe[demo]\n"


CHECK = """
from probe.core.finding import Conclusion
def show(settings, timeout, *, as_json):
    print(settings.instance, timeout, as_json)
    return Conclusion("{0}")
module("probe.cli_check", show_check=show)
"""


@pytest.mark.parametrize(("found", "code"), [("well", 0), ("fault", 1), ("unclear", 3)])
def test_check_hands_its_options_over_and_returns_what_it_found(
    good: str, found: str, code: int
) -> None:
    arguments = ["check", "--config", good, "--json", "--timeout", "1m30s"]
    end = process(*arguments, before=STAND_INS + CHECK.format(found))

    assert (end.returncode, end.stdout) == (code, "log error logfmt\nfra1 90.0 True\n")


def test_check_waits_a_minute_and_refuses_a_bad_file(good: str, bad: str) -> None:
    stand_ins = STAND_INS + CHECK.format("well")

    assert "60.0 False" in process("check", "--config", good, before=stand_ins).stdout
    assert process("check", "--config", bad, before=stand_ins).returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [[], ["config"], ["nonsense"], ["dns"], ["plan", "x"], ["healthcheck", "x"],
     ["run", "--conf", "x"], ["run", "--log-level", "loud"], ["config", "check", "a", "b"],
     ["demo", "--scenario", "x"], ["demo", "--duration", "5"],
     ["demo", "--port", "70000"], ["demo", "--port", "-1"], ["check", "x"],
     ["check", "--timeout", "60"], ["check", "--timeout", "0s"], ["check", "--timeout", "1d"]],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_ends_with_2_and_without_a_traceback(arguments: list[str]) -> None:
    end = mailprobe(*arguments)

    assert end.returncode == 2
    assert end.stderr.startswith("usage: mailprobe")
    assert "Traceback" not in end.stderr


@pytest.mark.parametrize(
    "arguments",
    [["--version"], ["run", "--version"], ["config", "check", "--version"], ["demo", "--version"]],
    ids=" ".join,
)
def test_the_version_everywhere(arguments: list[str]) -> None:
    end = mailprobe(*arguments)

    assert (end.returncode, end.stdout) == (0, f"mailprobe {__version__}\n")


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    end = subprocess.run(
        ["sh", "-c", f"'{sys.executable}' -m probe config schema | true"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert end.stderr == ""


def test_an_interruption_is_no_traceback(good: str) -> None:
    interrupted = STAND_INS + (
        "\ndef interrupt(*_, **__): raise KeyboardInterrupt\nmodule('probe.app', run=interrupt)\n"
    )
    end = process("run", "--config", good, before=interrupted)

    assert (end.returncode, end.stderr.count("Traceback")) == (1, 0)


def test_output_that_the_terminal_cannot_show_is_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "größe.yaml"
    path.write_text(GOOD)
    end = process("config", "check", str(path), before="", PYTHONIOENCODING="ascii")

    assert end.returncode == 0
    assert "gr\\xf6\\xdfe.yaml is good" in end.stdout
