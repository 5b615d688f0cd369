"""The command line: arguments, exit codes, and nothing else.

What a command needs is imported when it runs, so that the others start quickly.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeAlias

from probe import __version__
from probe.demo import DEFAULT, SCENARIOS

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

    from probe.config import Settings

_LONGEST_WAIT = 3600.0

DEFAULT_CONFIG = "/etc/mailprobe/mailprobe.yaml"
DEFAULT_HEALTH = "http://127.0.0.1:9841/-/healthy"
LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("logfmt", "json")

_CONFIG_HELP = f"default: MAILPROBE_CONFIG, then {DEFAULT_CONFIG}"
_GOOD, _FAILED, _UNUSABLE, _UNCLEAR = 0, 1, 2, 3

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Command = Callable[[argparse.Namespace, Mapping[str, str]], int]


def main(argv: Sequence[str], environ: Mapping[str, str] = os.environ) -> int:
    """Run a command; the exit code. Raises SystemExit for --help, --version and wrong usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    arguments = _parser().parse_args(argv, argparse.Namespace(log_level=None, log_format=None))
    command: Command = arguments.command
    try:
        code = command(arguments, environ)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _FAILED
    except BrokenPipeError:
        # What is still in the buffer would raise once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mailprobe",
        description="A synthetic monitor for e-mail delivery that names the node at fault.",
        parents=[_shared_options()],
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_run(commands)
    _add_plan(commands)
    _add_check(commands)
    _add_dns(commands)
    _add_demo(commands)
    _add_config(commands)
    _add_healthcheck(commands)
    return parser


def _shared_options() -> argparse.ArgumentParser:
    """The options that may stand before and after the command, which must not undo each other."""
    shared = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    shared.add_argument("--version", action="version", version=f"mailprobe {__version__}")
    shared.add_argument("--log-level", choices=LEVELS, help="wins over the configuration")
    shared.add_argument("--log-format", choices=FORMATS, help="wins over the configuration")
    return shared


def _add_command(commands: Commands, name: str, about: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name, help=about, description=about, parents=[_shared_options()], allow_abbrev=False
    )


def _add_run(commands: Commands) -> None:
    about = "the daemon: sends probes, reads them back, exports what became of them"
    run = _add_command(commands, "run", about)
    run.add_argument("--config", metavar="FILE", help=_CONFIG_HELP)
    run.set_defaults(command=_run)


def _add_plan(commands: Commands) -> None:
    about = "messages a day, number of series, expected detection times"
    plan = _add_command(commands, "plan", about)
    plan.add_argument("--config", metavar="FILE", help=_CONFIG_HELP)
    plan.add_argument("--json", action="store_true", help="for programs")
    plan.set_defaults(command=_plan)


def _add_healthcheck(commands: Commands) -> None:
    check = _add_command(commands, "healthcheck", "0 if a running prober is healthy, else 1")
    check.add_argument(
        "--url", metavar="URL", help=f"default: MAILPROBE_HEALTHCHECK_URL, then {DEFAULT_HEALTH}"
    )
    check.set_defaults(command=_healthcheck)


def _add_check(commands: Commands) -> None:
    about = "one probe on every route, once: 0 all well, 1 a fault, 3 cannot tell"
    check = _add_command(commands, "check", about)
    check.add_argument("--config", metavar="FILE", help=_CONFIG_HELP)
    check.add_argument("--json", action="store_true", help="the object of /api/v1/status")
    check.add_argument(
        "--timeout",
        type=_waiting,
        default=60.0,
        metavar="TIME",
        help="what has not arrived by then fails; default: 60s",
    )
    check.set_defaults(command=_check)


def _add_dns(commands: Commands) -> None:
    about = "checks the DNS of a sender's domain: 0 well, 1 something fails, 3 cannot tell"
    dns = _add_command(commands, "dns", about)
    dns.add_argument("domain", metavar="DOMAIN")
    for option, metavar, meaning in (
        ("--selector", "S", "a selector of its DKIM keys"),
        ("--ip", "IP", "an address from which its mail leaves"),
        ("--expect-include", "NAME", "a name that its SPF record must include"),
        ("--dnsbl", "ZONE", "a blocklist"),
        ("--resolver", "HOST[:PORT]", "a DNS server to ask; default: the system's"),
    ):
        dns.add_argument(
            option, metavar=metavar, action="append", default=[], help=f"{meaning}; repeatable"
        )
    dns.add_argument(
        "--helo", metavar="NAME", default="", help="what the sending server calls itself"
    )
    dns.add_argument("--json", action="store_true", help="for programs")
    dns.set_defaults(command=_dns)


def _add_demo(commands: Commands) -> None:
    about = "mail servers and prober in one process, without configuration"
    demo = _add_command(commands, "demo", about)
    demo.add_argument(
        "--scenario", choices=SCENARIOS, default=DEFAULT, help=f"what breaks; default: {DEFAULT}"
    )
    demo.add_argument("--port", type=_port, metavar="N", help="of the pages; default: any free one")
    usual = SCENARIOS[DEFAULT]
    other = [f"; {name} {time:.0f}s" for name, time in SCENARIOS.items() if time != usual]
    demo.add_argument(
        "--duration",
        type=_duration,
        metavar="TIME",
        help=f"of all phases together; default: {usual:.0f}s{''.join(other)}",
    )
    demo.add_argument("--keep", action="store_true", help="go on after it, until Ctrl-C")
    demo.set_defaults(command=_demo)


def _add_config(commands: Commands) -> None:
    config = _add_command(commands, "config", "checks a configuration, or shows one")
    parts = config.add_subparsers(title="commands", required=True, metavar="COMMAND")
    check = _add_command(parts, "check", "every error of a file at once")
    check.add_argument("config", nargs="?", metavar="FILE", help=_CONFIG_HELP)
    check.add_argument(
        "--alertmanager",
        metavar="FILE",
        help="its configuration: refuses an e-mail receiver that sends through a probed relay",
    )
    check.set_defaults(command=_check_config)
    _add_command(parts, "example", "a file with comments").set_defaults(command=_example)
    _add_command(parts, "schema", "the JSON Schema of the file").set_defaults(command=_schema)


def _run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    # Until the loop has its own answer: process 1 of a container is deaf to what it has none for.
    signal.signal(signal.SIGTERM, _stop_before_the_start)
    settings = _load(arguments.config, environ)
    if settings is None:
        return _UNUSABLE
    from probe.app import run
    from probe.config import load
    from probe.edges.log import configure

    def in_force(settings: Settings) -> None:
        level = arguments.log_level or settings.log_level
        configure(level, arguments.log_format or settings.log_format)
        for warning in settings.warnings:
            logging.getLogger("probe.config").warning("%s", warning)

    in_force(settings)
    revision = environ.get("MAILPROBE_REVISION", "")
    return run(settings, lambda: load(settings.source, environ), in_force, revision=revision)


def _stop_before_the_start(*_: object) -> None:
    raise SystemExit(_GOOD)


def _plan(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    settings = _load(arguments.config, environ)
    if settings is None:
        return _UNUSABLE
    from probe.cli_plan import plan

    return plan(settings, as_json=arguments.json)


def _healthcheck(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from probe.cli_healthcheck import healthcheck

    return healthcheck(arguments.url or environ.get("MAILPROBE_HEALTHCHECK_URL") or DEFAULT_HEALTH)


def _check(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    settings = _load(arguments.config, environ)
    if settings is None:
        return _UNUSABLE
    from probe.cli_check import show_check
    from probe.core.finding import Conclusion
    from probe.edges.log import configure
    from probe.ports import SecretUnreadable

    configure(arguments.log_level or "error", arguments.log_format or "logfmt")
    try:
        found = show_check(settings, arguments.timeout, as_json=arguments.json)
    except SecretUnreadable as problem:
        print(f"mailprobe: {problem}", file=sys.stderr)
        return _UNUSABLE
    except KeyboardInterrupt:  # Before it had begun.
        return _UNCLEAR
    return {
        Conclusion.WELL: _GOOD,
        Conclusion.FAULT: _FAILED,
        Conclusion.UNCLEAR: _UNCLEAR,
    }[found]


def _dns(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from probe.cli_dns import plan, servers, show_dns
    from probe.edges.log import configure

    try:
        wanted, nameservers = plan(arguments), servers(arguments)
    except ValueError as problem:
        print(f"mailprobe dns: {problem}", file=sys.stderr)
        return _UNUSABLE
    configure(arguments.log_level or "error", arguments.log_format or "logfmt")
    try:
        return show_dns(wanted, nameservers, as_json=arguments.json)
    except KeyboardInterrupt:
        return _UNCLEAR


def _demo(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    missing = [name for name in ("aiosmtpd", "pymap") if find_spec(name) is None]
    if missing:
        needed = " and ".join(missing)
        print(f"mailprobe: the demo needs {needed}: install mailprobe[demo]", file=sys.stderr)
        return _FAILED
    from probe.demo import run
    from probe.edges.log import configure
    from probe.edges.web.server import CannotListen

    configure(arguments.log_level or "error", arguments.log_format or "logfmt")
    code, duration = _FAILED, arguments.duration
    if duration is None:
        duration = SCENARIOS[arguments.scenario]
    try:
        code = run(
            arguments.scenario,
            _demo_prober,
            port=arguments.port,
            duration=duration,
            keep=arguments.keep,
        )
    except* (CannotListen, OSError) as problems:
        problem: BaseException = problems
        while isinstance(problem, BaseExceptionGroup):
            problem = problem.exceptions[0]
        print(f"mailprobe: {problem}", file=sys.stderr)
    return code


async def _demo_prober(file: Path, stop: asyncio.Event, ready: Callable[[str], None]) -> None:
    """A prober by this file alone, whatever the environment says."""
    from probe.app import App
    from probe.config import load

    await App(load(str(file), {})).run(stop, ready=ready)


def _check_config(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    settings = _load(arguments.config, environ)
    if settings is None:
        return _UNUSABLE
    for warning in settings.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if arguments.alertmanager and not _may_tell(settings, arguments.alertmanager):
        return _UNUSABLE
    counts = ", ".join(
        _counted(number, word)
        for number, word in (
            (len(settings.relays), "relay"),
            (len(settings.senders), "sender"),
            (len(settings.mailboxes), "mailbox"),
            (len(settings.plans), "combination"),
        )
    )
    print(f"{settings.source} is good: {counts}")
    return _GOOD


def _may_tell(settings: Settings, path: str) -> bool:
    """Whether Alertmanager can tell of broken mail; what is wrong is told."""
    from probe.cli_alertmanager import wrong_receivers
    from probe.config import ConfigError

    try:
        problems = wrong_receivers(settings, path)
    except ConfigError as error:
        problems = error.problems
    print(*problems, sep="\n", end="\n" if problems else "", file=sys.stderr)
    return not problems


def _example(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from probe.config import example

    print(example(), end="")
    return _GOOD


def _schema(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from probe.config import schema

    print(schema(), end="")
    return _GOOD


def _load(path: str | None, environ: Mapping[str, str]) -> Settings | None:
    """The configuration, or None, its errors told."""
    from probe.config import ConfigError, load

    try:
        return load(path or environ.get("MAILPROBE_CONFIG") or DEFAULT_CONFIG, environ)
    except ConfigError as error:
        print(*error.problems, sep="\n", file=sys.stderr)
        return None


def _counted(number: int, word: str) -> str:
    plural = f"{word}es" if word.endswith("x") else f"{word}s"
    return f"{number} {word if number == 1 else plural}"


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= 65535):
        raise argparse.ArgumentTypeError("must be a port, or 0 for any free one")
    return int(text)


def _waiting(text: str) -> float:
    if not 1.0 <= (seconds := _duration(text)) <= _LONGEST_WAIT:
        raise argparse.ArgumentTypeError("must be between 1s and 1h")
    return seconds


def _duration(text: str) -> float:
    from probe.config import duration

    try:
        return duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
