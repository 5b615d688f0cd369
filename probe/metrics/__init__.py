"""Every metric that we export, and the verbs by which the engine counts them."""

from probe.metrics.catalogue import CATALOGUE, Kind, Metric
from probe.metrics.exporter import Exporter

__all__ = ["CATALOGUE", "Exporter", "Kind", "Metric"]
