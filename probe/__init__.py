"""mailprobe: a synthetic monitor for e-mail delivery."""

__version__ = "0.1.0"
