"""Name servers that agree, and those that do not."""

from probe.core.records import ns
from probe.core.records.answer import Answer, Question, RecordKind, Reply
from probe.core.records.check import CheckState
from probe.core.records.ns import Server

OK, WARN, FAIL, ERROR, NONE = CheckState
ZONE = "shop.test"
NAMES = Answer(Question(ZONE, RecordKind.NS), Reply.FOUND, ("a.test", "b.test", "c.test"))


def said(*records: str, name: str = ZONE, reply: Reply | None = None) -> Answer:
    known = Reply.FOUND if records else Reply.NO_DATA
    return Answer(Question(name, RecordKind.TXT, "192.0.2.1"), reply or known, records)


def server(name: str, *answers: Answer, serial: int = 7, authoritative: bool = True) -> Server:
    question = Question(ZONE, RecordKind.SOA, "192.0.2.1")
    soa = Answer(question, Reply.FOUND, (f"a b {serial}",), authoritative=authoritative)
    return Server(name, (), soa, answers)


def states(*servers: Server) -> list[CheckState]:
    return [check.state for check in ns.evaluate(ZONE, NAMES, servers)]


def test_all_of_one_mind() -> None:
    assert states(server("a", said("x", "y")), server("b", said("y", "x"))) == [OK, OK]


def test_a_record_that_one_of_them_lacks() -> None:
    assert states(server("a", said("x")), server("b", said())) == [OK, FAIL]


def test_a_record_that_most_of_them_lack() -> None:
    assert states(server("a", said("x")), server("b", said()), server("c", said())) == [
        OK,
        FAIL,
        FAIL,
    ]


def test_another_version_of_a_record() -> None:
    assert states(server("a", said("x")), server("b", said("x")), server("c", said("y"))) == [
        OK,
        OK,
        FAIL,
    ]


def test_an_older_zone_may_be_on_its_way() -> None:
    assert states(server("a", said("x")), server("b", said("x"), serial=6)) == [OK, WARN]


def test_a_lame_server_and_one_without_address() -> None:
    missing = Answer(Question("c.test", RecordKind.A), Reply.NO_NAME)
    lame = server("b", authoritative=False)
    assert states(server("a", said("x")), lame, Server("c", (missing,), None)) == [OK, FAIL, FAIL]


def test_no_answer_is_no_difference() -> None:
    silent = said(reply=Reply.SILENT)
    away = Server("c", (), said(reply=Reply.SILENT))
    assert states(server("a", said("x")), server("b", silent), away) == [OK, ERROR, ERROR]


def test_a_delegation_without_servers() -> None:
    unlisted = Answer(Question(ZONE, RecordKind.NS), Reply.NO_DATA)
    [check] = ns.evaluate(ZONE, unlisted, [])
    assert (check.subject, check.state) == (ZONE, FAIL)
