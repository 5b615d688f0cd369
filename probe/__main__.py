"""`python -m probe`: the same program as `mailprobe`."""

from __future__ import annotations

import sys

from probe import cli


def main() -> int:
    """Run the command line; the exit code."""
    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
