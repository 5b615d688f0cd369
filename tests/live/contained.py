"""The prober as its image runs it: read-only, without capabilities, as nobody in particular."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from tests.live.prober import KEY, Prober
from tests.live.world import PASSWORD, World
from tests.live.world.container import Store, hardened

USER = 65532  # As in the Dockerfile.
CONFIGURATION = "/etc/mailprobe/mailprobe.yaml"
SECRETS = {"tag": KEY, "imap": PASSWORD}


@dataclass(frozen=True, slots=True)
class Image:
    """An image in its store, and what it was built on."""

    store: Store
    name: str
    base: str

    def run(self, *arguments: str, mounts: tuple[str, ...] = ()) -> tuple[int, str]:
        """The exit code of a container that ends by itself, and all that it said."""
        options = hardened(*mounts)
        done = self.store.podman("run", "--rm", *options, self.name, *arguments, check=False)
        return done.returncode, done.stdout + done.stderr

    def size(self, name: str) -> int:
        """The bytes of an image."""
        told = self.store.podman("image", "inspect", "--format", "{{.Size}}", name)
        return int(told.stdout)


class ContainedProber(Prober):
    """A prober in a container of this name, which has a volume of the same name."""

    def __init__(self, world: World, settings: dict[str, object], *, image: Image) -> None:
        settings = {**settings, "journal": "/data/journal.sqlite3"}
        settings["tag_key"] = {"file": "/run/secrets/tag"}
        super().__init__(world, settings, name="contained")
        self.secrets = self.home / "secrets"
        self.volume = "journal"  # A directory of the host, or the name of a volume.
        self.options: tuple[str, ...] = ()
        self._image = image
        self._podman = image.store.podman
        self._keep_secrets()

    @property
    def mounts(self) -> tuple[str, ...]:
        """What the container sees of the host."""
        return (
            f"{self.file}:{CONFIGURATION}:ro",
            f"{self.secrets}:/run/secrets:ro",
            *((f"{self.volume}:/data",) if self.volume else ()),
        )

    def launch(self) -> None:
        """Run a new container, which takes the place of an earlier one."""
        health = f"--env=MAILPROBE_HEALTHCHECK_URL=http://127.0.0.1:{self.port}/-/healthy"
        self._podman(
            *("run", "--detach", "--name=prober", "--replace", health),
            *(*hardened(*self.mounts), *self.options, self._image.name),
        )

    def restart(self) -> None:
        """Start the same container again, and return when its pages answer."""
        self._podman("start", "prober")
        self.expect(self._answers, "its pages answer")

    def stop(self) -> tuple[int, float]:
        """End it as the image wants to be ended: its exit code, and the seconds that it took."""
        began = time.monotonic()
        self._podman("stop", "--time=20", "prober")
        took = time.monotonic() - began
        return int(self._inspect("State.ExitCode")), took

    def kill(self) -> None:
        """Remove it."""
        self._podman("rm", "--force", "--time=0", "prober", check=False)

    @property
    def pid(self) -> int:
        """Its process id, as the host counts."""
        return int(self._inspect("State.Pid"))

    def healthcheck(self) -> tuple[int, str]:
        """What the image's own check of its health says: exit code and text."""
        done = self._podman("healthcheck", "run", "prober", check=False)
        return done.returncode, done.stdout + done.stderr

    def told(self) -> str:
        """All that it said."""
        done = self._podman("logs", "prober", check=False)
        return done.stdout + done.stderr

    def log_end(self) -> str:
        """The last lines that it said."""
        return "\n".join(self.told().splitlines()[-30:])

    def _inspect(self, field: str) -> str:
        return self._podman("inspect", "--format", f"{{{{.{field}}}}}", "prober").stdout.strip()

    def _answers(self) -> bool:
        if self._inspect("State.Running") != "true":
            raise AssertionError(f"the container ended by itself\n{self.log_end()}")
        return self._responds()

    def _keep_secrets(self) -> None:
        self.secrets.mkdir()
        for name, value in SECRETS.items():
            file = self.secrets / name
            file.write_text(value)
            file.chmod(0o400)
            os.chown(file, USER, USER)


def facts(image: Image) -> dict[str, object]:
    """What the image says of itself."""
    told = image.store.podman("image", "inspect", image.name)
    return dict(json.loads(told.stdout)[0]["Config"])


def status_of(process: int) -> dict[str, str]:
    """What the kernel says of a process (proc(5), status)."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def root_is_read_only(process: int) -> bool:
    """Whether the root of what a process sees is mounted read-only (proc(5), mountinfo)."""
    mounts = [line.split() for line in Path(f"/proc/{process}/mountinfo").read_text().splitlines()]
    return any(mount[4] == "/" and "ro" in mount[5].split(",") for mount in mounts)
