"""The runbooks as pages: what to do, for who is woken up and has nothing but a browser."""

from __future__ import annotations

import html
import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from markdown_it import MarkdownIt

from probe.edges.web.frame import frame

_NAME = re.compile(r"[A-Za-z0-9]{1,100}")
# The text is our own, and yet no HTML of it passes: then nobody has to look for any.
_MARKDOWN = MarkdownIt("commonmark", {"html": False})


def runbook_page(name: str, external_url: str = "") -> str | None:
    """The page for the alert of this name, with or without `.md`; None if there is none."""
    name = name.removesuffix(".md")
    file = shelf() / f"{name}.md"
    if not _NAME.fullmatch(name) or not file.is_file():
        return None
    text = _MARKDOWN.render(file.read_text("utf-8"))
    back = f'<p><a href="{html.escape(external_url)}/">What is wrong now</a></p>'
    return frame(name, f'{back}\n<article class="runbook">\n{text}</article>')


def shelf() -> Traversable:
    """Where the runbooks are: beside this file in a wheel, in `deploy` of a checkout."""
    packed = files(__package__) / "runbooks"
    return packed if packed.is_dir() else Path(__file__).parents[3] / "deploy/runbooks"
