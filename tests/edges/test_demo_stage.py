"""A scenario on the demo's real servers, with a prober of a few lines in the place of ours."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from probe.demo.scenario import SCENARIOS
from probe.demo.stage import play

LABELS = {"relay": "", "node": "", "sender": "", "mailbox": "", "flow": ""}
POOL = {**LABELS, "kind": "relay", "relay": "pool"}


@dataclass
class Simpleton:
    """Says that the pool is unreachable when one of its nodes is, and always that mail comes."""

    names_it: bool = True
    arrived: int = 3
    configuration: dict = field(default_factory=dict)

    async def run(self, file: Path, stop: asyncio.Event, ready: Callable[[str], None]) -> None:
        """Fulfils the demo's Prober: serves the pages until it is stopped."""
        self.configuration = json.loads(await asyncio.to_thread(file.read_text))
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        ready(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        await stop.wait()
        server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        body = await self._page(path)
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + body.encode())
        writer.close()

    async def _page(self, path: str) -> str:
        if path == "/metrics":
            route = '{relay="pool",node="node1",sender="",mailbox=""}'
            return "".join(
                f"mailprobe_{name}_total{route} {self.arrived}\n" for name in ("sent", "delivered")
            )
        if path == "/api/v1/incidents":
            return "[]"
        route = {**LABELS, "relay": "pool", "node": "node1", "state": "ok", "in_flight": 0}
        return json.dumps({"components": [await self._pool()], "routes": [route]})

    async def _pool(self) -> dict[str, object]:
        """The pool as a component."""
        faults = [] if not self.names_it or await self._reachable() else ["unreachable"]
        return {**POOL, "faults": faults, "alternatives": [], "evidence": ["it refuses"]}

    async def _reachable(self) -> bool:
        address = self.configuration["relays"]["pool"]["nodes"][0].partition("=")[2]
        host, _, port = address.rpartition(":")
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except ConnectionRefusedError:
            return False
        writer.close()
        return True


async def played(prober: Simpleton, scenario: str, duration: float) -> int:
    return await play(SCENARIOS[scenario], prober.run, port=0, duration=duration, keep=False)


async def test_what_is_named_and_cleared_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert await played(Simpleton(), "provider-outage", 3) == 0
    said = [line.split(" ")[0] for line in capsys.readouterr().out.splitlines()]
    milestones = [word for word in said if word.isupper()]
    assert milestones == ["FAULT", "NAMED", "RECOVERY", "CLEARED", "AS"]


async def test_the_same_names_for_another_fault_end_with_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert await played(Simpleton(names_it=False), "provider-outage", 1) == 1
    *_, verdict = capsys.readouterr().out.splitlines()
    assert verdict == "NOT AS EXPECTED The fault was not named. 3 of 3 accepted probes arrived."


async def test_healthy_ends_with_0_when_nothing_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert await played(Simpleton(), "healthy", 0) == 0
    out = capsys.readouterr().out
    assert out.startswith("The prober's pages: http://127.0.0.1:")
    assert "HEALTHY Nothing was named. 3 of 3 accepted probes arrived" in out


async def test_healthy_ends_with_1_when_nothing_arrives() -> None:
    assert await played(Simpleton(arrived=0), "healthy", 0) == 1


async def test_it_probes_the_pool_and_the_standby_and_leaves_no_file() -> None:
    prober = Simpleton()
    await played(prober, "partial-errors", 0)
    configuration = prober.configuration
    relays = configuration["relays"]
    nodes = {name: [node.partition("=")[0] for node in relays[name]["nodes"]] for name in relays}
    assert nodes == {"pool": ["node1", "node2", "node3"], "backup": ["spare"]}
    assert [relays[name]["role"] for name in relays] == ["primary", "standby"]
    assert configuration["defaults"]["interval"] == "1s"
    assert not Path(configuration["journal"]).parent.exists()
