"""`mailprobe demo`, as a user runs it: every scenario."""

import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from probe.demo import SCENARIOS

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

AT_ONCE = 4  # More at a time, and the machine is what is slow.
DEMO = [sys.executable, "-m", "probe", "demo"]
EXPECTED = {
    "node-holding": "kind=node node=node2 fault=holding",
    "slow-accept": "kind=node node=node2 fault=slow",
    "provider-outage": "kind=relay relay=pool fault=unreachable",
    "partial-errors": "kind=node node=node3 fault=refusing",
    "accepted-unprocessed": "kind=relay relay=pool fault=holding",
    "mailbox-down": "kind=mailbox mailbox=corp fault=unreadable",
}


@dataclass(frozen=True, slots=True)
class End:
    """What a demo has printed, and its exit code."""

    lines: tuple[str, ...]
    errors: str
    code: int

    def after(self, milestone: str) -> float:
        """How long it took to be NAMED, or CLEARED (s)."""
        (found,) = [line for line in self.lines if line.startswith(f"{milestone} ")]
        took = re.fullmatch(rf"{milestone} .* after (\d+\.\d) s", found)
        assert took, found
        return float(took[1])


Ends = Mapping[str, Future[End]]


@pytest.fixture(scope="module")
def ends() -> Iterator[Ends]:
    """Every scenario, a few at a time, as long as it usually takes."""
    with ThreadPoolExecutor(AT_ONCE) as demos:
        yield {name: demos.submit(played, name) for name in SCENARIOS}


def played(scenario: str) -> End:
    """The whole of it."""
    demo = subprocess.run(
        [*DEMO, "--scenario", scenario], capture_output=True, text=True, timeout=280, check=False
    )
    return End(tuple(demo.stdout.splitlines()), demo.stderr, demo.returncode)


def test_every_scenario_is_tried() -> None:
    assert [*EXPECTED, "healthy"] == list(SCENARIOS)


@pytest.mark.parametrize("scenario", EXPECTED)
def test_exactly_the_fault_is_named_and_cleared(ends: Ends, scenario: str) -> None:
    end = ends[scenario].result()
    said = "\n".join(end.lines)
    assert end.code == 0, said + end.errors
    assert f"\nNAMED {EXPECTED[scenario]} after " in said
    assert f"\nCLEARED {EXPECTED[scenario]} after " in said
    assert "ALSO NAMED" not in said
    assert end.after("NAMED") < SCENARIOS[scenario]
    assert end.after("CLEARED") < SCENARIOS[scenario]
    assert end.errors == ""


def test_the_outage_of_a_provider_tells_which_standby_works(
    ends: Ends,
) -> None:
    assert "  The standby relay backup works." in ends["provider-outage"].result().lines


def test_healthy_names_nothing_and_everything_arrives(
    ends: Ends,
) -> None:
    end = ends["healthy"].result()
    said = re.fullmatch(
        r"HEALTHY Nothing was named\. (\d+) of (\d+) accepted probes arrived,"
        r" the slowest after (\d+\.\d\d) s\.",
        end.lines[-1],
    )
    assert said, "\n".join(end.lines) + end.errors
    assert (end.code, end.errors) == (0, "")
    assert said[1] == said[2]
    assert int(said[1]) >= 100, "four nodes, one probe every 2 s on each, for a minute"
    assert float(said[3]) >= 0.02, "the demo delivers after 20 ms at least"


def left_behind() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("mailprobe-demo-*"))


def test_kept_it_goes_on_until_it_is_interrupted_and_leaves_no_file() -> None:
    before = left_behind()
    with subprocess.Popen(
        [*DEMO, "--scenario", "healthy", "--duration", "1s", "--keep"],
        stdout=subprocess.PIPE,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            counts = [int(count) for count in re.findall(r"(\d+) of \d+ arrived", line)]
            if len(counts) == 4 and min(counts) >= 2:
                break
        demo.send_signal(signal.SIGINT)
        *_, verdict = demo.stdout.read().splitlines()
        assert demo.wait(15) == 0
    assert verdict.startswith("HEALTHY ")
    assert left_behind() - before == set()
