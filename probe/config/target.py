"""The `nodes` of a relay: how its host becomes nodes, or which ones there are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from probe.config import scalar
from probe.core.node_plan import NodePlan

_WORDS = tuple(plan for plan in NodePlan if plan is not NodePlan.LIST)

_FORM = "ADDRESS[:PORT] or NAME=ADDRESS[:PORT], IPv6 in brackets where a port follows"
_TARGET = re.compile(
    r"(?:(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,63})=)?"
    r"(?:\[(?P<six>[^\]]*)\](?::(?P<six_port>[0-9]+))?"
    r"|(?P<four>[0-9.]+)(?::(?P<four_port>[0-9]+))?"
    r"|(?P<bare>[0-9A-Fa-f:.]+(?:%\w+)?))"
)


@dataclass(frozen=True, slots=True)
class Target:
    """One node that is written down."""

    name: str  # The label.
    address: str
    port: int | None  # None: the relay's.

    def __str__(self) -> str:
        """The target as it is written."""
        address = f"[{self.address}]" if ":" in self.address and self.port else self.address
        label = "" if self.name == self.address else f"{self.name}="
        return f"{label}{address}{f':{self.port}' if self.port else ''}"


NodeChoice = NodePlan | tuple[Target, ...]


def target(value: object) -> Target:
    """One entry of the list. Raises ValueError."""
    found = _TARGET.fullmatch(scalar.single(value))
    if found is None:
        raise ValueError(f"must be {_FORM}")
    address = _address(found["six"] or found["four"] or found["bare"])
    port = found["six_port"] or found["four_port"]
    return Target(found["name"] or address, address, scalar.port(port) if port else None)


def node_choice(value: object) -> NodeChoice:
    """What `nodes` says. Raises ValueError."""
    if isinstance(value, list):
        return _listed(value)
    text = scalar.single(value).lower()
    if text not in _WORDS:
        raise ValueError(f"must be {', '.join(_WORDS)}, or a list of {_FORM}")
    return NodePlan(text)


def _listed(values: list[object]) -> tuple[Target, ...]:
    targets = scalar.several(values, target)
    names = [each.name for each in targets]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise ValueError(f"entry {number + 1} has the same name as one before it")
    return targets


def _address(text: str) -> str:
    try:
        return scalar.ip(text)
    except ValueError:
        raise ValueError(f"must be {_FORM}") from None


def _written(choice: NodeChoice) -> str | list[str]:
    return choice.value if isinstance(choice, NodePlan) else list(map(str, choice))


Nodes = Annotated[
    NodeChoice,
    PlainValidator(node_choice),
    PlainSerializer(_written),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": [plan.value for plan in _WORDS]},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
            ]
        }
    ),
]
