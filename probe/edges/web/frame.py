"""What all pages have around their contents. They need no script, and nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

_STYLE = files(__package__).joinpath("style.css").read_text("utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy: our style and nothing else."""


def frame(title: str, body: str, *, refresh: float | None = None) -> str:
    """A whole page of a title and a body, both escaped already; it reloads itself so often (s)."""
    again = "" if refresh is None else f'<meta http-equiv="refresh" content="{refresh:g}">\n'
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{again}<title>{title}</title>
<style>{_STYLE}</style>
</head>
<body>
{body}
</body>
</html>
"""
