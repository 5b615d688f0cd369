"""Who may import whom in probe/, and what is not done there at all, read off the syntax tree."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

PACKAGE = "probe"
ROOT = "__init__"  # The package itself: its version.

# Part: the parts that it may import, besides itself. `config_yaml.py` belongs to `config`.
ALLOWED: dict[str, set[str]] = {
    ROOT: set(),
    "core": set(),
    "ports": {"core"},
    "engine": {"ports", "core"},
    "edges": {"ports", "core", ROOT},
    "metrics": {"ports", "core", ROOT},
    "config": {"ports", "core", ROOT},
    "demo": {"ports", "core", ROOT},
    "app": {"config", "engine", "edges", "metrics", "demo", "ports", "core", ROOT},
    "cli": {"app", "config", "engine", "edges", "metrics", "demo", "ports", "core", ROOT},
    "__main__": {"cli", ROOT},
}

# Library: the files that may import it, below probe/. What is not listed has no home yet.
HOMES: dict[str, tuple[str, ...]] = {
    "aiohttp": ("edges/*",),
    "aioimaplib": ("edges/imap*",),
    "aiosmtpd": ("demo/*",),
    "aiosmtplib": ("edges/smtp*",),
    "checkdmarc": ("edges/semantics*",),
    "cryptography": ("edges/*", "demo/*"),
    "dkim": ("edges/dkim*",),
    "dns": ("edges/resolver*",),
    "markdown_it": ("edges/web*",),
    "prometheus_client": ("metrics*", "edges/web*"),
    "proxyprotocol": ("demo/*",),
    "pydantic": ("config*",),
    "pydantic_core": ("config*",),
    "pydantic_settings": ("config*",),
    "pymap": ("demo/*",),
    "pysasl": ("demo/*",),
    "rich": ("cli*", "demo/*"),
    "ruamel": ("config*",),
    "spf": ("edges/semantics*",),
    "sqlite3": ("edges/journal*",),
}

FORBIDDEN = {"marshal", "pickle", "shelve", "xml"}
FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "__import__",
    "importlib.import_module",
    "os.system",
    "os.popen",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "asyncio.create_subprocess_shell",
}

# The core decides: it waits for nothing, touches nothing, and is told the time.
CORE_FORBIDDEN = {"asyncio", "logging", "selectors", "socket", "ssl", "subprocess", "threading"}
CORE_FORBIDDEN_CALLS = {
    "open",
    "print",
    "datetime.now",
    "datetime.datetime.now",
    "time.monotonic",
    "time.time",
}


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a line breaks."""

    file: str
    line: int
    rule: str

    def __str__(self) -> str:
        return f"{PACKAGE}/{self.file}:{self.line}: {self.rule}"


def violations(folder: Path) -> list[Violation]:
    """Every broken rule in the Python files of the package's folder."""
    found = []
    for path in sorted(folder.rglob("*.py")):
        file = path.relative_to(folder).as_posix()
        found.extend(check(file, path.read_text(encoding="utf-8")))
    return found


def check(file: str, source: str) -> list[Violation]:
    """Every broken rule in a file, which is named as below probe/; type-checking imports count."""
    tree = ast.parse(source, file)
    found = [
        Violation(file, line, rule)
        for line, module in _imports(tree, file)
        for rule in _import_rules(file, module)
    ]
    found += [Violation(file, line, rule) for line, rule in _call_rules(tree, file)]
    return sorted(set(found), key=lambda violation: (violation.line, violation.rule))


def _imports(tree: ast.AST, file: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of all that is imported; of ours, down to the name of the part."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from ((node.lineno, alias.name) for alias in node.names)
            case ast.ImportFrom(level=0, module=str(module)) if module != PACKAGE:
                yield node.lineno, module
            case ast.ImportFrom():
                base = _absolute(file, node)
                yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def _absolute(file: str, node: ast.ImportFrom) -> str:
    if node.level == 0:
        return PACKAGE
    folders = (PACKAGE, *PurePosixPath(file).parent.parts)
    above = folders[: len(folders) - node.level + 1]
    return ".".join((*above, *(node.module or "").split("."))).rstrip(".")


def _import_rules(file: str, module: str) -> Iterator[str]:
    library, _, rest = module.partition(".")
    part = part_of(file)
    if library in FORBIDDEN:
        yield f"{library} is not used in this project"
    elif library == PACKAGE:
        other = part_of(rest) if rest else ROOT
        if other != part and other not in ALLOWED.get(part, set()):
            yield f"{part} imports {other}, and may import {_list(ALLOWED.get(part, set()))} only"
    elif library in HOMES:
        if not any(fnmatch(file, home) for home in HOMES[library]):
            yield f"{library} has its home in {_list(HOMES[library])} only"
    elif library not in sys.stdlib_module_names:
        yield f"{library} has no home: name one in tests/contract/layering.py"
    if part == "core" and library in CORE_FORBIDDEN:
        yield f"core decides and touches nothing, so it does not import {library}"


def part_of(path: str) -> str:
    """The part of the package that a file below probe/, or a dotted name, belongs to."""
    name = path.removesuffix(".py").replace("/", ".").partition(".")[0]
    if name in ALLOWED:
        return name
    family = name.partition("_")[0]
    return family if family in ALLOWED else _unknown(name)


def _unknown(name: str) -> str:
    # Names that are no part are what the package itself defines, such as its version.
    return ROOT if name.startswith("__") else name


def _list(names: set[str] | tuple[str, ...]) -> str:
    return ", ".join(sorted(names)) or "nothing of ours"


def _call_rules(tree: ast.AST, file: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called in FORBIDDEN_CALLS:
            yield node.lineno, f"{called}() is not used in this project"
        if any(keyword.arg == "shell" for keyword in node.keywords):
            yield node.lineno, "no shell is started in this project"
        if part_of(file) == "core" and called in CORE_FORBIDDEN_CALLS:
            yield node.lineno, f"core decides and is told the rest, so it does not call {called}()"
