"""Fixtures of the live tests: real servers on loopback. A missing server fails the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.world import CertificateAuthority, Pool, World

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is marked `live`, so that `-m 'not live'` is the fast suite."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.live)


@pytest.fixture(scope="session")
def calm_world() -> Iterator[World]:
    """The ground of what all tests share, and none harms."""
    with World() as world:
        yield world


@pytest.fixture(scope="session")
def authority(calm_world: World) -> CertificateAuthority:
    """A certificate authority that nobody trusts but those who are given its file."""
    return CertificateAuthority(calm_world.folder("authority"))


@pytest.fixture(scope="session")
def calm_pool(calm_world: World) -> Pool:
    """Three nodes and their mailboxes, shared: for tests that stop, freeze and reload nothing."""
    return calm_world.run(Pool(calm_world))


@pytest.fixture
def world() -> Iterator[World]:
    """Ground of the test's own; whatever it runs on it ends with the test."""
    with World() as world:
        yield world


@pytest.fixture
def pool(world: World) -> Pool:
    """Three nodes and their mailboxes for this test alone, to be maltreated."""
    return world.run(Pool(world))
