"""The real detector, as the prober has it."""

from __future__ import annotations

from collections.abc import Mapping

from probe.core.detection.baseline import Baselines
from probe.core.detection.detector import Detector
from probe.core.sight import Sight
from tests.simulation.archive import Archive
from tests.simulation.prober import Mind


def real_mind(sights: Mapping[str, Sight], archive: Archive) -> Mind:
    """Begins with what the archive holds."""
    baselines = Baselines(archive.rows)
    incidents = [one for one in archive.incidents.values() if one.closed is None]
    return Mind(Detector(sights, baselines, incidents=incidents), baselines.rows)
