"""Images and containers without a Docker engine: Buildah and Podman, in a store of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.live.world.ground import World
from tests.live.world.server import ServerFailed, ServerMissing

# Nothing of the machine's own stores and locks is used, and the limits can be set everywhere.
CONTAINERS = """\
[containers]
netns = "host"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
tmp_dir = "{home}/tmp"
"""
STORAGE = """\
[storage]
driver = "{driver}"
graphroot = "{home}/images"
runroot = "{home}/run"
"""
PIP = """\
[global]
cert = /run/authorities.pem
"""
AUTHORITIES = Path(os.environ.get("PIP_CERT") or "/etc/ssl/certs/ca-certificates.crt")
NEEDED = {"buildah": "buildah", "podman": "podman", "runc": "runc", "mmdebstrap": "mmdebstrap"}
PYTHON = "python3,python3-venv,ca-certificates"


class Store:
    """Images, volumes and containers of one world; nothing of them is left at its end."""

    def __init__(self, world: World, *, cache: Path) -> None:
        """`cache` keeps the stand-in for the base for the next time."""
        self.home = world.folder("containers")
        self._cache = cache

    def start(self) -> None:
        """Make sure of the programs, and lay out the store."""
        if os.geteuid() != 0:
            raise ServerFailed("containers are built as root only: `sudo make test` does so")
        for binary, package in NEEDED.items():
            if not shutil.which(binary):
                raise ServerMissing(
                    f"{binary} is missing: it comes with the Debian package {package}; "
                    "`make test` installs it"
                )
        (self.home / "containers.conf").write_text(CONTAINERS.format(home=self.home))
        storage = STORAGE.format(home=self.home, driver=self._driver())
        (self.home / "storage.conf").write_text(storage)

    def kill(self) -> None:
        """End all containers, and let go of the directory."""
        self.podman("rm", "--all", "--force", "--time", "0", check=False)
        mounts = Path("/proc/self/mounts").read_text().splitlines()
        ours = [line.split()[1] for line in mounts if f" {self.home}/" in line]
        for place in reversed(ours):
            subprocess.run(["umount", "--lazy", place], check=False)

    def base(self, name: str) -> str:
        """A stand-in for the Dockerfile's base: Debian's Python with its venv, and no shell."""
        archive = self._cache / f"base-{_codename()}.tar"
        if not archive.exists():
            self._cache.mkdir(parents=True, exist_ok=True)
            fresh = self.home / "base.tar"
            packages = f"--include={PYTHON}"
            self._run("mmdebstrap", "--variant=extract", packages, _codename(), str(fresh))
            half = archive.with_suffix(f".{os.getpid()}")
            shutil.move(fresh, half)
            half.rename(archive)
        self.podman("import", str(archive), name)
        return name

    def build(self, dockerfile: Path, context: Path, *, name: str, base: str, revision: str) -> str:
        """An image of this context, on this base."""
        settings = self.home / "pip.conf"
        settings.write_text(PIP)
        mounts = {settings: "/etc/pip.conf:ro", AUTHORITIES: "/run/authorities.pem:ro"}
        self._run(
            *("buildah", "bud", "--isolation", "chroot", "--format", "docker"),
            *("--pull-never", "--build-arg", f"BASE={base}"),
            *("--build-arg", f"REVISION={revision}"),
            *(f"--volume={host}:{inside}" for host, inside in mounts.items()),
            *("--file", str(dockerfile), "--tag", name, str(context)),
        )
        return name

    def podman(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """What a command of Podman's said, and its exit code."""
        return self._run("podman", *arguments, check=check)

    def _run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            told = f"{done.stdout}\n{done.stderr}".splitlines()
            raise ServerFailed("\n".join((" ".join(command), *told[-20:])))
        return done

    def _environment(self) -> Mapping[str, str]:
        return {
            **os.environ,
            "CONTAINERS_CONF": f"{self.home}/containers.conf",
            "CONTAINERS_STORAGE_CONF": f"{self.home}/storage.conf",
            "DISABLE_HC_SYSTEMD": "true",  # We ask for the health ourselves.
        }

    def _driver(self) -> str:
        """Overlays where the kernel has them here; copies, which take seconds each, elsewhere."""
        places = [self.home / name for name in ("lower", "upper", "work", "merged")]
        for place in places:
            place.mkdir()
        lower, upper, work, merged = places
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        mount = ["mount", "-t", "overlay", "overlay", "-o", options, str(merged)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            return "vfs"
        subprocess.run(["umount", str(merged)], check=True)
        return "overlay"


def hardened(*mounts: str) -> Sequence[str]:
    """How a container is run that may do nothing but what it must."""
    return (
        *("--read-only", "--read-only-tmpfs=false", "--cap-drop=all"),
        *("--security-opt=no-new-privileges", "--pull=never"),
        *(f"--volume={mount}" for mount in mounts),
    )


def _codename() -> str:
    """The Debian that we run on, whose packages can be had here."""
    release = Path("/etc/os-release").read_text().splitlines()
    names = dict(line.split("=", 1) for line in release if "=" in line)
    return names["VERSION_CODENAME"].strip('"')
