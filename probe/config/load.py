"""A configuration file, with what the environment adds to it, as Settings; or all its errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path as FilePath

from probe.config.check import conflicts, warnings
from probe.config.document import MAX_BYTES, Document, Malformed, parse
from probe.config.environment import NAMED, Layer, environment, merged, secrets_dir
from probe.config.problem import ConfigError, Finding, Path, Problem, dotted
from probe.config.provider import bulk
from probe.config.settings import Settings, settings
from probe.config.validation import validated


def load(path: str, environ: Mapping[str, str]) -> Settings:
    """What the file and the variables say. Raises ConfigError, which holds no secret."""
    document = read(path)
    variables = environment(environ)
    tree = merged(variables.tree, document.tree)
    directory = tree.get("secrets_dir")
    secrets = secrets_dir(directory, tree) if isinstance(directory, str) else Layer()
    tree = merged(variables.tree, merged(secrets.tree, document.tree))

    known = (*document.findings, *variables.findings, *secrets.findings)
    file, known = validated(tree, known)
    known += conflicts(file, tree, known)
    if known:
        raise ConfigError(_Places(path, document, (secrets, variables)).problems(known))
    hints = (*variables.warnings, *_additions(variables, document), *secrets.warnings)
    made = settings(path, file, (*hints, *warnings(file)))
    return replace(made, warnings=(*made.warnings, *bulk(made)))


def _additions(variables: Layer, document: Document) -> Iterator[str]:
    """The relays, senders and mailboxes that only variables know: perhaps misspelt."""
    for path, name in variables.origins.items():
        named = path[0] in NAMED and len(path) > 1
        if named and path[1] not in document.tree.get(str(path[0]), ()):
            yield f"{name}: adds {dotted(path[:2])}, which the file does not have"


def read(path: str) -> Document:
    """The file as a document. Raises ConfigError."""
    problem: Problem
    try:
        with FilePath(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise Malformed("is larger than 1 MiB")
        return parse(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        problem = Problem(f"{path}:{line}", "is not UTF-8 text")
    except OSError as error:
        problem = Problem(path, f"cannot be read: {error.strerror}")
    except ValueError:
        problem = Problem("the file", "has a name that holds a NUL character")
    except Malformed as error:
        problem = Problem(f"{path}:{error.line}" if error.line else path, error.message)
    # Outside of the handlers, so that no error that holds the file's text is attached.
    raise ConfigError((problem,))


@dataclass(frozen=True, slots=True)
class _Places:
    """Where in the file, or outside of it, a path of keys is written."""

    path: str
    document: Document
    layers: tuple[Layer, ...]  # A later one wins.

    def problems(self, findings: Iterable[Finding]) -> tuple[Problem, ...]:
        """The findings with their places, in the order of the file."""
        placed = [(self._place(finding.path), finding) for finding in findings]
        return tuple(
            Problem(f"{place}: {dotted(finding.path)}", finding.message)
            for (_, place), finding in sorted(placed, key=lambda each: each[0])
        )

    def _place(self, path: Path) -> tuple[int, str]:
        """The line, or 0, and the place: of the path, or of what is nearest above it."""
        for length in range(len(path), 0, -1):
            for layer in reversed(self.layers):
                if origin := layer.origins.get(path[:length]):
                    return 0, origin
            if line := self.document.lines.get(path[:length]):
                return line, f"{self.path}:{line}"
            for layer in reversed(self.layers):
                if origin := layer.below(path[:length]):
                    return 0, origin
        return 0, self.path
