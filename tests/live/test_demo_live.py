"""`mailprobe demo --scenario healthy`, as a user runs it."""

import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

DEMO = [sys.executable, "-m", "probe", "demo", "--scenario", "healthy"]


def left_behind() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("mailprobe-demo-*"))


def test_everything_arrives_and_it_ends_by_itself() -> None:
    before = left_behind()
    demo = subprocess.run(
        [*DEMO, "--duration", "6s"], capture_output=True, text=True, timeout=45, check=False
    )
    *_, verdict = demo.stdout.splitlines()
    said = re.fullmatch(
        r"HEALTHY (\d+) of (\d+) probes arrived, the slowest after (\d\.\d\d) s\.", verdict
    )
    assert said, demo.stdout + demo.stderr
    assert demo.returncode == 0
    assert said[1] == said[2]
    assert int(said[1]) >= 6, "three nodes, one probe every 2 s on each, for 6 s"
    assert float(said[3]) >= 0.02, "the demo delivers after 20 ms at least"
    assert demo.stderr == ""
    assert left_behind() == before


def test_kept_it_goes_on_until_it_is_interrupted() -> None:
    with subprocess.Popen(
        [*DEMO, "--duration", "1s", "--keep"], stdout=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            counts = [int(count) for count in re.findall(r"(\d+) of \d+ arrived", line)]
            if len(counts) == 3 and min(counts) >= 2:
                break
        demo.send_signal(signal.SIGINT)
        *_, verdict = demo.stdout.read().splitlines()
        assert demo.wait(15) == 0
    assert verdict.startswith("HEALTHY ")
