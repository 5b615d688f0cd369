"""How true the measured delay is, on real Postfix and Dovecot, and what that loop costs."""

from __future__ import annotations

import email
import re
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figure import Figure, at_most, quantile, spelled
from tests.bench.rig import Companion, account, entries, observe
from tests.live.prober import RECIPIENT, Prober, configuration
from tests.live.world import DOMAINS, LOOPBACK, Dovecot, Pool, World

PROBES = 100
BUSY_SENDERS = 15  # At 1 s on each of three nodes.


class Witness(Companion):
    """Stands between Postfix and Dovecot, and notes when a message could be read."""

    def __init__(self, world: World, dovecot: Dovecot) -> None:
        self.port = world.port()
        self._file = world.folder("witness") / "notes"
        arguments = self.port, dovecot.lmtp_port, self._file
        super().__init__("tests.bench.witness", *arguments, ports=[self.port])

    def moments(self) -> dict[str, float]:
        """The token of every message, and when Dovecot said 250 to it (Unix time)."""
        lines = self._file.read_text().splitlines()
        return {token: float(when) for token, when in map(str.split, lines)}


def delays(world: World) -> Iterator[Figure]:
    """The error of the measured delay at a quiet rate, and the CPU at a busy one."""
    dovecot = Dovecot(world)  # The pool starts it.
    witness = world.run(Witness(world, dovecot))
    pool = world.run(Pool(world, dovecot=dovecot, settings=_through(witness)))
    prober = world.run(Prober(world, _settings(pool, senders=1)))
    time.sleep(PROBES / len(pool.nodes) + 1.0)
    prober.stop()
    seen = {one.token: one.arrived for one in entries(prober) if one.arrived is not None}
    yield from _errors("the file's time in the Maildir", seen, _written(dovecot))
    yield from _errors("Dovecot's 250 over LMTP", seen, witness.moments())
    prober = world.run(Prober(world, _settings(pool, senders=BUSY_SENDERS)))
    time.sleep(4.0)
    stretch = observe(prober, 12.0)
    prober.stop()
    found = account(prober, stretch)
    what = f"CPU for a probe on Postfix and Dovecot, {found.rate:.0f} a second"
    yield Figure(what, f"{spelled(found.cpu)} ms ({found.bad} of the probes failed)")


def _through(witness: Witness) -> dict[str, str]:
    ways = ", ".join(f"{domain}=lmtp:inet:{LOOPBACK}:{witness.port}" for domain in DOMAINS)
    return {"transport_maps": f"inline:{{{ways}}}"}


def _settings(pool: Pool, *, senders: int) -> dict[str, object]:
    return configuration(
        pool,
        defaults={"interval": "1s"},
        senders={
            f"shop{number}": {"address": f"probe{number}@shop.test"} for number in range(senders)
        },
    )


def _errors(truth: str, seen: dict[str, float], moments: dict[str, float]) -> Iterator[Figure]:
    errors = [1000 * abs(seen[token] - moments[token]) for token in seen.keys() & moments.keys()]
    what = f"error of the delay against {truth}"
    note = f"{len(errors)} probes"
    yield at_most(f"{what}: p50", quantile(errors, 0.5), 5, "ms", note)
    yield at_most(f"{what}: p99", quantile(errors, 0.99), 50, "ms")


def _written(dovecot: Dovecot) -> dict[str, float]:
    """The token of every message in the Maildir, and when it was written (Unix time)."""
    return {
        token: message.when
        for message in dovecot.delivered(RECIPIENT)
        if (token := _token(message.path))
    }


def _token(path: Path) -> str:
    said = email.message_from_bytes(path.read_bytes())["X-Mailprobe"] or ""
    found = re.search(r"token=([a-z2-7]+)", said)
    return found[1] if found else ""
