"""The e-mail receivers of an Alertmanager configuration: where the mail about trouble goes out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from probe.config.document import Tree
from probe.config.load import read
from probe.config.problem import Path

_MERGE = "<<"  # Alertmanager reads YAML 1.1.


@dataclass(frozen=True, slots=True)
class EmailReceiver:
    """One `email_configs` entry, and the server it sends through."""

    name: str  # Of the receiver; empty if it has none.
    host: str  # Without a port, as it is written.
    place: str  # FILE:LINE


def email_receivers(path: str) -> tuple[EmailReceiver, ...]:
    """Those that name a server, or inherit one. Raises ConfigError where there is no YAML."""
    document = read(path)
    common = _field(_mapping(document.tree.get("global")), "smtp_smarthost")
    return tuple(
        EmailReceiver(name, _host(smarthost), f"{path}:{document.lines.get(place, 1)}")
        for place, name, entry in _entries(document.tree)
        if (smarthost := _field(entry, "smarthost") or common)
    )


def _entries(tree: dict[str, Tree]) -> Iterator[tuple[Path, str, dict[str, Tree]]]:
    """Each entry of `email_configs`, where it is, and whose."""
    for number, one in enumerate(_list(tree.get("receivers"))):
        receiver = _mapping(one)
        for entry_number, entry in enumerate(_list(receiver.get("email_configs"))):
            place: Path = ("receivers", number, "email_configs", entry_number)
            yield place, _field(receiver, "name"), _mapping(entry)


def _field(mapping: dict[str, Tree], key: str) -> str:
    """A text of the mapping, or of what is merged into it; empty without."""
    if isinstance(value := mapping.get(key), str):
        return value
    merged = mapping.get(_MERGE, [])
    parts = merged if isinstance(merged, list) else [merged]
    return next(filter(None, (_field(_mapping(one), key) for one in parts)), "")


def _host(smarthost: str) -> str:
    host, colon, _ = smarthost.strip().rpartition(":")
    return (host if colon else smarthost.strip()).strip("[]")


def _mapping(tree: Tree | None) -> dict[str, Tree]:
    return tree if isinstance(tree, dict) else {}


def _list(tree: Tree | None) -> list[Tree]:
    return tree if isinstance(tree, list) else []
