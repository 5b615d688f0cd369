"""The image, built without a Docker engine and run as a careful operator would run it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from probe import __version__
from tests.live.contained import (
    USER,
    ContainedProber,
    Image,
    facts,
    root_is_read_only,
    status_of,
)
from tests.live.prober import configuration
from tests.live.world import ADDRESSES, Pool, World
from tests.live.world.container import Store

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache/image"
REVISION = "5e1fa2b"
ADDS_AT_MOST = 85_000_000  # Bytes that the image adds to its base.

# The first test downloads and builds, which is long on a busy machine.
pytestmark = pytest.mark.timeout(900)

Spoil = Callable[[ContainedProber], None]


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """The image on a base that has Python, its venv and pip, and no shell."""
    with World() as world:
        store = world.run(Store(world, cache=CACHE))
        base = store.base("localhost/base")
        name = store.build(
            *(ROOT / "deploy/Dockerfile", ROOT),
            name="localhost/mailprobe",
            base=base,
            revision=REVISION,
        )
        yield Image(store, name, base)


@pytest.fixture
def prober(world: World, calm_pool: Pool, image: Image) -> Iterator[ContainedProber]:
    """A prober in a container, not started yet."""
    prober = ContainedProber(world, configuration(calm_pool), image=image)
    yield prober
    prober.kill()


def test_it_delivers_with_no_right_but_to_its_volume(prober: ContainedProber) -> None:
    prober.start()

    def delivered() -> bool:
        scrape = prober.scrape()
        return all(scrape.sum("mailprobe_delivered_total", node=node) for node in ADDRESSES)

    prober.expect(delivered, "mail through every node has arrived")
    status = status_of(prober.pid)
    assert set(status["Uid"].split()) == {str(USER)}
    assert {name: int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd")} == {
        "CapPrm": 0,
        "CapEff": 0,
        "CapBnd": 0,
    }
    assert status["NoNewPrivs"] == "1"
    assert root_is_read_only(prober.pid)
    assert prober.scrape().sum("mailprobe_journal_up") == 1
    assert prober.scrape().sum("mailprobe_build_info", revision=REVISION) == 1
    assert "Whom to call next" in prober.get("/runbooks/MailProbeAbsent")
    assert prober.healthcheck() == (0, ""), prober.told()

    code, seconds = prober.stop()
    assert code == 0, prober.told()
    assert seconds < 5


def test_its_journal_outlives_the_container(world: World, image: Image) -> None:
    pool = world.run(Pool(world))
    prober = world.run(ContainedProber(world, configuration(pool), image=image))
    held = ADDRESSES[1]
    pool.nodes[1].pause_queue_manager()

    def waiting() -> float:
        return prober.scrape().sum("mailprobe_in_flight", node=held)

    def oldest() -> float:
        name = "mailprobe_oldest_unanswered_timestamp_seconds"
        return prober.scrape().sum(name, node=held)

    prober.expect(lambda: waiting() >= 2, "mail is held")
    before = oldest()
    assert prober.stop()[0] == 0
    prober.restart()
    assert waiting() >= 2 and oldest() == pytest.approx(before, abs=0.01), prober.told()
    assert prober.stop()[0] == 0
    prober.start()  # A new container, as after an upgrade.
    assert waiting() >= 2 and oldest() == pytest.approx(before, abs=0.01), prober.told()

    pool.nodes[1].resume_queue_manager()
    prober.expect(lambda: not oldest() <= before, "the oldest has arrived")
    scrape = prober.scrape()
    assert scrape.sum("mailprobe_unmatched_total") == 0
    assert scrape.sum("mailprobe_lost_total") == 0


def no_file(prober: ContainedProber) -> None:
    prober.file = prober.home / "none"
    prober.file.mkdir()  # What Docker does where there is nothing to mount.


def file_of_root(prober: ContainedProber) -> None:
    prober.file.chmod(0o600)


def no_secret(prober: ContainedProber) -> None:
    (prober.secrets / "tag").unlink()


def secret_of_root(prober: ContainedProber) -> None:
    (prober.secrets / "tag").unlink()
    (prober.secrets / "tag").write_text("belongs to root alone")
    (prober.secrets / "tag").chmod(0o600)


def folder_for_a_secret(prober: ContainedProber) -> None:
    (prober.secrets / "tag").unlink()
    (prober.secrets / "tag").mkdir()


def volume_of_root(prober: ContainedProber) -> None:
    folder = prober.home / "volume"
    folder.mkdir(mode=0o755)
    prober.volume = str(folder)


def volume_that_is_closed(prober: ContainedProber) -> None:
    volume_of_root(prober)
    Path(prober.volume).chmod(0o700)


TAG = "tag_key: '/run/secrets/tag' cannot be read"
JOURNAL = f"cannot open /data/journal.sqlite3.lock as user {USER}: Permission denied"


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        (no_file, 2, "/etc/mailprobe/mailprobe.yaml: cannot be read: Is a directory"),
        (file_of_root, 2, "/etc/mailprobe/mailprobe.yaml: cannot be read: Permission denied"),
        (no_secret, 2, f"{TAG}: No such file or directory"),
        (secret_of_root, 2, f"{TAG}: Permission denied"),
        (folder_for_a_secret, 2, f"{TAG}: Is a directory"),
        (volume_of_root, 1, JOURNAL),
        (volume_that_is_closed, 1, JOURNAL),
    ],
)
def test_what_is_wrong_with_a_mount_is_said(
    prober: ContainedProber, image: Image, spoil: Spoil, code: int, said: str
) -> None:
    spoil(prober)
    found, text = image.run(mounts=prober.mounts)
    assert found == code, text
    assert said in text
    assert "Traceback" not in text


def test_without_any_mount_the_file_is_asked_for(image: Image) -> None:
    code, text = image.run()
    assert (code, text) == (
        2,
        "/etc/mailprobe/mailprobe.yaml: cannot be read: No such file or directory\n",
    )


def test_without_a_volume_it_goes_on_in_memory_and_says_so(prober: ContainedProber) -> None:
    prober.volume, prober.options = "", ("--image-volume=ignore",)
    prober.start()
    assert prober.scrape().sum("mailprobe_journal_up") == 0
    assert "/data/journal.sqlite3.lock: Read-only file system; going on in memory" in prober.told()
    assert prober.stop()[0] == 0


def test_the_health_of_nothing_is_bad(image: Image) -> None:
    code, text = image.run("healthcheck", "--url", "http://127.0.0.1:1/-/healthy")
    assert code == 1
    assert text.startswith("mailprobe: http://127.0.0.1:1/-/healthy: ")


def test_what_the_image_says_of_itself(image: Image) -> None:
    told = facts(image)
    assert told["Entrypoint"] == ["mailprobe"]
    assert told["Cmd"] == ["run", "--config", "/etc/mailprobe/mailprobe.yaml"]
    assert told["User"] == f"{USER}:{USER}"
    assert told["StopSignal"] in ("SIGTERM", "15")
    assert told["Volumes"] == {"/data": {}}
    assert told["Labels"]["org.opencontainers.image.version"] == __version__  # type: ignore[index]
    assert told["Labels"]["org.opencontainers.image.revision"] == REVISION  # type: ignore[index]
    assert image.run("--version") == (0, f"mailprobe {__version__}\n")


def test_it_adds_little_to_its_base(image: Image) -> None:
    assert image.size(image.name) - image.size(image.base) < ADDS_AT_MOST
