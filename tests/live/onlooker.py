"""Somebody who looks at a prober all the time, and forgets nothing that it ever named."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from probe.core.component import Component, Fault, Kind
from tests.live.prober import Prober

PERIOD = 0.25  # s

_SAMPLE = re.compile(r"^mailprobe_(fault|delivered_total)\{(.*)\} ([0-9.]+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, slots=True, order=True)
class Accusation:
    """A fault of a component that is named; what it may be instead."""

    component: Component
    fault: Fault
    alternatives: tuple[Component, ...] = ()

    def __str__(self) -> str:
        others = "".join(f", or {other}" for other in self.alternatives)
        return f"{self.component}: {self.fault}{others}"


@dataclass(frozen=True, slots=True)
class Glance:
    """What was to be seen at one moment (monotonic clock, as all moments here)."""

    moment: float
    named: frozenset[Accusation] = frozenset()  # On /api/v1/status.
    gauged: frozenset[Accusation] = frozenset()  # On /metrics, which tells no alternatives.
    delivered: Mapping[str, float] = field(default_factory=dict)  # By node.

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is named."""
        return not self.named and not self.gauged


class Onlooker:
    """Looks from `start` to `kill`."""

    def __init__(self, prober: Prober) -> None:
        self.last = self.before = Glance(0.0)
        self.history: list[Glance] = []  # Each that accuses others than the one before it.
        self._prober = prober
        self._trouble: Exception | None = None
        self._over = threading.Event()
        self._looked = threading.Condition()
        self._thread = threading.Thread(target=self._look_on, name=f"onlooker {prober.home.name}")

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def kill(self) -> None:
        """Look no more."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def wait(self, condition: Callable[[], object], within: float) -> bool:
        """Whether the condition comes to hold; it is tried at each glance."""
        with self._looked:
            self._looked.wait_for(lambda: condition() or self._trouble, within)
        if self._trouble is not None:
            raise AssertionError(f"{self._trouble!r}\n{self._prober.log_end()}")
        return bool(condition())

    def _look_on(self) -> None:
        while not self._over.wait(PERIOD):
            try:
                glance = self._glance()
            except Exception as trouble:
                self._trouble = trouble
                self._over.set()
            with self._looked:
                if self._trouble is None:
                    self._keep(glance)
                self._looked.notify_all()

    def _keep(self, glance: Glance) -> None:
        self.before, self.last = self.last, glance
        if (glance.named, glance.gauged) != (self.before.named, self.before.gauged):
            self.history.append(glance)

    def _glance(self) -> Glance:
        moment = time.monotonic()
        status = self._prober.status()
        samples = [
            (name, dict(_LABEL.findall(labels)), float(value))
            for name, labels, value in _SAMPLE.findall(self._prober.get("/metrics"))
        ]
        delivered: dict[str, float] = {}
        for name, labels, value in samples:
            if name == "delivered_total":
                delivered[labels["node"]] = delivered.get(labels["node"], 0) + value
        return Glance(
            moment,
            named=frozenset(accusations(status)),
            gauged=frozenset(
                Accusation(component(labels), Fault(labels["fault"]))
                for name, labels, value in samples
                if name == "fault" and value
            ),
            delivered=delivered,
        )


def incidents(prober: Prober) -> list[dict[str, Any]]:
    """What `/api/v1/incidents` tells."""
    return list(json.loads(prober.get("/api/v1/incidents")))


def component(labels: Mapping[str, str]) -> Component:
    """A component as the API and the metrics spell it."""
    names = {key: labels[key] for key in ("relay", "node", "sender", "mailbox")}
    return Component(Kind(labels["kind"]), **names)


def accusations(status: Mapping[str, Any]) -> Iterator[Accusation]:
    """What `/api/v1/status` names."""
    for told in status["components"]:
        others = tuple(component(other) for other in told["alternatives"])
        for fault in told["faults"]:
            yield Accusation(component(told), Fault(fault), others)
