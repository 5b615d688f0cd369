"""A YAML 1.2 file as a tree of texts, with the line of everything in it.

Values stay as they are written: what they mean is decided by the field they are for. So `no`
is a word, a password of digits keeps its zeros, and nothing is ever constructed from a tag.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from ruamel.yaml.reader import ReaderError

from probe.config.problem import Finding, Path

Tree: TypeAlias = "str | list[Tree] | dict[str, Tree]"

MAX_BYTES = 1 << 20
MAX_VALUES = 100_000
MAX_DEPTH = 16

_NULL = re.compile(r"~|null|Null|NULL|")
_NOTHING = "has no value: write one, or leave the key out"
_GLUED = "has no value: after the ':' of a key there must be a space"
_SYNTAX = (  # What the parser says, and what we say: its own words may quote the file.
    ("mapping values", "there is a ': ' where none belongs: a value with one must be in quotes"),
    ("'\\t'", "there is a tab: indent with spaces"),
    ("cannot start", "a value that begins with a sign such as % @ ` must be in quotes"),
    ("escape character", "there is a \\ that means nothing between double quotes"),
    ("quoted scalar", "a quote is opened and not closed"),
    ("flow", "a bracket is opened and not closed, or a comma is missing"),
    ("block", "this line is not indented as those before it"),
    ("could not find expected ':'", "a key lacks its ': '"),
)


class Malformed(Exception):
    """The file cannot be read as a tree; `line` counts from 1, or is 0 for all of it."""

    def __init__(self, message: str, line: int = 0) -> None:
        self.message = message
        self.line = line
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Document:
    """What the file holds. Findings are what is wrong with it as YAML, but can be passed over."""

    tree: dict[str, Tree]
    lines: dict[Path, int]
    findings: tuple[Finding, ...]


def parse(text: str) -> Document:
    """The document that the text is. Raises Malformed, whose text holds nothing of it."""
    reading = _Reading(iter(YAML(typ="safe", pure=True).parse(text)))
    failure: Malformed
    try:
        return reading.document()
    except YAMLError as error:
        failure = _translated(error, text)
    except Malformed as error:
        failure = error
    # Outside of the handler, so that the parser's error, which quotes the file, is not attached.
    raise failure.with_traceback(None)


def copied(tree: Tree) -> Tree:
    """The same tree again, sharing nothing that can be changed."""
    if isinstance(tree, dict):
        return {key: copied(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [copied(value) for value in tree]
    return tree


def _translated(error: YAMLError, text: str) -> Malformed:
    if isinstance(error, ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return Malformed("is not YAML: there is a control character", line)
    mark = getattr(error, "problem_mark", None)
    said = f"{getattr(error, 'context', '')} {getattr(error, 'problem', '')}"
    ours = next((words for sign, words in _SYNTAX if sign in said), "")
    return Malformed(f"is not YAML{': ' if ours else ''}{ours}", mark.line + 1 if mark else 0)


@dataclass(slots=True)
class _Reading:
    """The way through the parser's events."""

    events: Iterator[Event]
    lines: dict[Path, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    anchors: dict[str, tuple[Tree, int]] = field(default_factory=dict)  # With its size.
    count: int = 0

    def document(self) -> Document:
        next(self.events)  # The stream starts.
        if isinstance(next(self.events), StreamEndEvent):
            raise Malformed("is empty")
        tree = self._value(next(self.events), ())
        next(self.events)  # The document ends.
        after = next(self.events)
        if isinstance(after, DocumentStartEvent):
            raise Malformed("holds more than one document", _line(after))
        if tree is None:
            raise Malformed("is empty")
        if not isinstance(tree, dict):
            raise Malformed("must be a mapping, of keys and values", 1)
        return Document(tree, self.lines, tuple(self.findings))

    def _value(self, event: Event, path: Path) -> Tree | None:
        """What begins with this event; None for nothing."""
        self._bound(event, path)
        before = self.count
        if isinstance(event, AliasEvent):
            return self._alias(event)
        if getattr(event, "tag", None) is not None:
            raise Malformed(
                "has a tag (!): a value that begins with ! must be in quotes", _line(event)
            )
        if isinstance(event, MappingStartEvent):
            value: Tree | None = self._mapping(path)
        elif isinstance(event, SequenceStartEvent):
            value = self._sequence(path)
        else:
            value = _scalar(event)
        if (anchor := getattr(event, "anchor", None)) and value is not None:
            self.anchors[anchor] = value, self.count - before + 1
        return value

    def _bound(self, event: Event, path: Path) -> None:
        self.count += 1
        if self.count > MAX_VALUES:
            raise Malformed("holds more values than any configuration needs", _line(event))
        if len(path) > MAX_DEPTH:
            raise Malformed("is nested deeper than any configuration needs", _line(event))

    def _alias(self, event: AliasEvent) -> Tree:
        if event.anchor not in self.anchors:
            raise Malformed(
                "refers (*) to no anchor: a value that begins with * must be in quotes",
                _line(event),
            )
        value, size = self.anchors[event.anchor]
        self.count += size
        self._bound(event, ())
        return copied(value)

    def _sequence(self, path: Path) -> Tree:
        items: list[Tree] = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            place = (*path, len(items))
            self.lines[place] = _line(event)
            if (item := self._value(event, place)) is None:
                self.findings.append(Finding(place, "is an empty entry: fill it, or leave it out"))
            else:
                items.append(item)
        return items

    def _mapping(self, path: Path) -> Tree:
        items: dict[str, Tree] = {}
        seen: set[str] = set()
        while not isinstance(event := next(self.events), MappingEndEvent):
            key = self._key(event)
            place = (*path, key)
            if key in seen:
                self._repeated(place, _line(event))
                continue
            seen.add(key)
            self.lines[place] = _line(event)
            if (value := self._value(next(self.events), place)) is None:
                self.findings.append(Finding(place, _GLUED if ":" in key else _NOTHING))
            else:
                items[key] = value
        return items

    def _repeated(self, place: Path, line: int) -> None:
        """Pass over the value of a key that there already is."""
        lines, findings = self.lines, self.findings
        self.lines, self.findings = {}, []
        self._value(next(self.events), place)
        self.lines, self.findings = lines, findings
        self.findings.append(Finding(place, f"is written again in line {line}: keep one"))

    def _key(self, event: Event) -> str:
        self._bound(event, ())
        if not isinstance(event, ScalarEvent) or event.tag is not None:
            raise Malformed("has a key that is not a word", _line(event))
        return str(event.value)


def _scalar(event: Event) -> str | None:
    assert isinstance(event, ScalarEvent)
    plain = event.style is None
    return None if plain and _NULL.fullmatch(event.value) else str(event.value)


def _line(event: Event) -> int:
    return int(event.start_mark.line) + 1
