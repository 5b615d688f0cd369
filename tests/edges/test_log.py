"""One line for each record, whatever it says."""

from __future__ import annotations

import io
import json
import logging
import math
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.edges.log import FORMATS, configure

log = logging.getLogger("probe.engine.reaper")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Leave logging as it was."""
    root, ours = logging.getLogger(), logging.getLogger("probe")
    handlers, level = root.handlers[:], ours.level
    yield
    root.handlers[:] = handlers
    ours.setLevel(level)


def written(form: str, *, level: str = "info") -> io.StringIO:
    """Where lines of this form now go, and nowhere else: the test runner listens too."""
    others = [h for h in logging.getLogger().handlers if type(h).__module__.startswith("_pytest")]
    for other in others:
        logging.getLogger().removeHandler(other)
    stream = io.StringIO()
    configure(level, form, stream)
    return stream


def test_a_logfmt_line() -> None:
    stream = written("logfmt")
    fields = {"route": "pool/n1/shop/corp", "seconds": 0.25, "text": "450 4.7.1 try later", "n": 0}
    log.info("settled %s", "well", extra={"fields": fields})
    line = stream.getvalue()
    assert re.fullmatch(
        r"ts=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=info logger=probe\.engine\.reaper"
        r' msg="settled well" route=pool/n1/shop/corp seconds=0\.25 text="450 4\.7\.1 try later"'
        r" n=0\n",
        line,
    )


def test_a_json_line() -> None:
    stream = written("json")
    fields = {"seconds": 0.25, "good": True, "late": None, "nan": math.nan, "huge": 2**70}
    log.warning("settled", extra={"fields": fields})
    line = json.loads(stream.getvalue())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("ts"))
    assert line == {
        "level": "warning",
        "logger": "probe.engine.reaper",
        "msg": "settled",
        "seconds": 0.25,
        "good": True,
        "late": None,
        "nan": "nan",
        "huge": str(2**70),
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("", '""'),
        ("a b", '"a b"'),
        ("a=b", '"a=b"'),
        ('say "no"', r'"say \"no\""'),
        ("back\\slash", r'"back\\slash"'),
        ("line\r\nlevel=error", r'"line\r\nlevel=error"'),
        ("\x1b[31mred\x07\x00\x7f", r'"\u001b[31mred\u0007\u0000\x7f"'),
        ("\x9b\u2028\u202e\u200b", r'"\x9b\u2028\u202e\u200b"'),
        ("\udc80", "\ufffd"),
        ("übung", "übung"),
        (True, "true"),
        (None, "null"),
        (math.inf, "inf"),
        (b"bytes", "b'bytes'"),
    ],
)
def test_what_a_value_looks_like_in_logfmt(value: object, text: str) -> None:
    stream = written("logfmt")
    log.info("x", extra={"fields": {"value": value}})
    assert stream.getvalue().rstrip("\n").partition(" value=")[2] == text


@pytest.mark.parametrize("form", FORMATS)
@given(
    message=st.text(st.characters()), key=st.text(st.characters()), value=st.text(st.characters())
)
def test_a_record_is_one_sound_line(form: str, message: str, key: str, value: str) -> None:
    stream = written(form)
    log.info("%s", message, extra={"fields": {key: value}})
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    assert lines[0].isprintable()
    lines[0].encode()
    if form == "json":
        assert json.loads(lines[0])["logger"] == "probe.engine.reaper"


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no text for you")

    __repr__ = __str__


@pytest.mark.parametrize("form", FORMATS)
def test_what_cannot_be_printed_costs_no_line(form: str) -> None:
    stream = written(form)
    log.info("%d", "no number")
    log.info(Hostile())
    log.info("x", extra={"fields": {Hostile(): Hostile(), "int": 10**5000}})
    log.info("x", extra={"fields": "no mapping"})
    assert len(stream.getvalue().splitlines()) == 4
    assert "<not printable: TypeError>" in stream.getvalue()
    assert "<not printable: RuntimeError>" in stream.getvalue()


@pytest.mark.parametrize("form", FORMATS)
def test_a_traceback_is_one_field(form: str) -> None:
    stream = written(form)
    try:
        raise OSError("first\nsecond \udc80")
    except OSError:
        log.exception("loop stumbled")
    (line,) = stream.getvalue().splitlines()
    assert r"OSError: first\nsecond" in line
    assert "Traceback" in line


@pytest.mark.parametrize("name", ["ts", "level", "logger", "msg", "error"])
def test_a_field_takes_no_other_place(name: str) -> None:
    stream = written("json")
    log.info("truth", extra={"fields": {name: "lie"}})
    line = json.loads(stream.getvalue())
    assert line[f"{name}_"] == "lie"
    assert line["msg"] == "truth"


def test_a_value_is_bounded() -> None:
    stream = written("json")
    log.info("x" * 1_000_000, extra={"fields": {"y": "y" * 1_000_000}})
    assert len(stream.getvalue()) < 40_000


def test_only_our_own_details_are_written() -> None:
    stream = written("logfmt", level="debug")
    library = logging.getLogger("aioimaplib.aioimaplib")
    library.setLevel(logging.DEBUG)
    library.debug("LOGIN probe secret")
    logging.getLogger("aiosmtplib").info("AUTH PLAIN secret")
    logging.getLogger("probesque").info("not ours")
    library.warning("connection lost")
    library.setLevel(logging.NOTSET)
    log.debug("dialogue")
    assert "secret" not in stream.getvalue()
    assert [line.split(" ")[3] for line in stream.getvalue().splitlines()] == [
        'msg="connection',
        "msg=dialogue",
    ]


def test_the_level_is_kept() -> None:
    stream = written("logfmt", level="warning")
    log.info("no")
    log.warning("yes")
    assert len(stream.getvalue().splitlines()) == 1


def test_configured_anew_it_writes_once() -> None:
    former = written("logfmt")
    stream = written("logfmt")
    log.info("once")
    assert former.getvalue() == ""
    assert len(stream.getvalue().splitlines()) == 1


def test_a_broken_stream_breaks_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    written("logfmt").close()
    log.info("into the void")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("level", "form"), [("loud", "json"), ("info", "xml"), ("INFO", "json")])
def test_what_is_not_known_is_refused(level: str, form: str) -> None:
    with pytest.raises(ValueError, match="must be one of"):
        configure(level, form)
