"""MTA-STS: what record and policy say together."""

import pytest

from probe.core.records import mta_sts
from probe.core.records.answer import Answer, Question, RecordKind, Reply
from probe.core.records.check import CheckState
from probe.core.records.mta_sts import Fetched

DOMAIN = "shop.test"
OK, WARN, FAIL, ERROR, NONE = CheckState


def policy(mode: str = "enforce", age: str = "604800", *mx: str, version: str = "STSv1") -> str:
    servers = "".join(f"mx: {each}\n" for each in mx or ("mx.shop.test",))
    return f"version: {version}\nmode: {mode}\n{servers}max_age: {age}\n"


def record(*texts: str, reply: Reply | None = None) -> Answer:
    question = Question(mta_sts.name(DOMAIN), RecordKind.TXT)
    return Answer(question, reply or (Reply.FOUND if texts else Reply.NO_NAME), texts)


def mail(*hosts: str, reply: Reply = Reply.FOUND) -> Answer:
    records = tuple(f"10 {host}" for host in hosts)
    return Answer(Question(DOMAIN, RecordKind.MX), reply, records, detail="SERVFAIL")


GOOD = record("v=STSv1; id=20260101;")
SAID = Fetched(policy(), "text/plain")


@pytest.mark.parametrize(
    ("announced", "fetched", "hosts", "state", "said"),
    [
        (GOOD, SAID, ("mx.shop.test",), OK, "only sent encrypted"),
        (record("something else"), Fetched(), (), NONE, "no policy"),
        (record(), Fetched(), (), NONE, "no policy"),
        (record(reply=Reply.SILENT), Fetched(), (), ERROR, "No server answered"),
        (record("v=STSv1; id=1", "v=STSv1; id=2"), SAID, (), FAIL, "2 MTA-STS records"),
        (record("v=STSv1; id=a-b"), SAID, (), FAIL, "id is not"),
        (record("v=STSv1"), SAID, (), FAIL, "id is not"),
        (record("v=STSv1; id=1; x"), SAID, (), FAIL, "not a tag"),
        (GOOD, Fetched(refused="It redirects."), (), FAIL, "It redirects."),
        (GOOD, Fetched(unknown="It is silent."), (), ERROR, "It is silent."),
        (GOOD, Fetched(policy("testing"), "text/plain"), (), WARN, "testing"),
        (GOOD, Fetched(policy("none"), "text/plain"), ("mx.b.test",), WARN, "none"),
        (GOOD, Fetched(policy(age="600"), "text/plain"), (), WARN, "after 600 s"),
        (GOOD, Fetched(policy(), "text/html"), (), WARN, "text/html"),
        (GOOD, Fetched(policy(age="31557601"), "text/plain"), (), FAIL, "max_age"),
        (GOOD, Fetched(policy(age="soon"), "text/plain"), (), FAIL, "max_age"),
        (GOOD, Fetched(policy("strict"), "text/plain"), (), FAIL, "mode is none of"),
        (GOOD, Fetched(policy(version="STSv2"), "text/plain"), (), FAIL, "version"),
        (
            GOOD,
            Fetched("version: STSv1\nmode: enforce\nmax_age: 604800", "text/plain"),
            (),
            FAIL,
            "mx",
        ),
        (GOOD, Fetched("<html>", "text/html"), (), FAIL, "no field"),
        (
            GOOD,
            SAID,
            ("mx.shop.test", "mx.other.test"),
            FAIL,
            "leaves out the mail server mx.other",
        ),
        (GOOD, Fetched(policy("testing"), "text/plain"), ("mx.b.test",), WARN, "mode"),
    ],
)
def test_every_state(
    announced: Answer, fetched: Fetched, hosts: tuple[str, ...], state: CheckState, said: str
) -> None:
    check = mta_sts.evaluate(DOMAIN, announced, fetched, mail(*hosts), hosts)
    assert (check.state, check.subject) == (state, DOMAIN), check
    assert said in check.summary, check


def test_unknown_mail_servers_are_no_mismatch() -> None:
    check = mta_sts.evaluate(DOMAIN, GOOD, SAID, mail(reply=Reply.FAILED), ())
    assert check.state is ERROR


@pytest.mark.parametrize(
    ("host", "pattern", "is_match"),
    [
        ("mx.shop.test", "mx.shop.test", True),
        ("mx.shop.test", "*.shop.test", True),
        ("a.mx.shop.test", "*.shop.test", False),
        ("shop.test", "*.shop.test", False),
        ("mx.shop.test", "*.", False),
        ("mx", "*.", False),
    ],
)
def test_patterns(host: str, pattern: str, is_match: bool) -> None:
    assert mta_sts.matches(host, pattern) is is_match


def test_a_change_of_the_policy_shows_in_the_records() -> None:
    before = mta_sts.evaluate(DOMAIN, GOOD, SAID, mail(), ())
    after = mta_sts.evaluate(DOMAIN, GOOD, Fetched(policy("testing"), "text/plain"), mail(), ())
    assert before.records != after.records
