"""How a scenario goes on, told what is named and when."""

import itertools

import pytest

from probe.core.component import Component, Fault, Kind
from probe.demo import SCENARIOS as USUAL
from probe.demo.course import Course, Phase, label
from probe.demo.name import Name, Names
from probe.demo.scenario import SCENARIOS, Scenario

HOLDING = SCENARIOS["node-holding"]
NODE = Component(Kind.NODE, relay="pool", node="node2")
OTHER = Component(Kind.NODE, relay="pool", node="node1")
RIGHT = Name(NODE, (Fault.HOLDING,), evidence=("newest", "older", "oldest"), standby=("backup",))
CALM = Names()
SHOWN = "kind=node node=node2 fault=holding"


def standing(*names: Name) -> Names:
    return Names(names, names)


class Play:
    """A course of 60 s that was healthy for 10 s."""

    def __init__(self, scenario: Scenario = HOLDING) -> None:
        self.course = Course(scenario, 60)
        assert self.see(CALM, 9.9) == []
        self.see(CALM, 10.0)

    def see(self, names: Names, now: float) -> list[str]:
        return self.course.see(names, fewest=3, now=now)

    def phase(self) -> Phase:
        return self.course.phase

    def named_at(self, now: float) -> "Play":
        self.see(standing(RIGHT), now)
        return self

    def cleared_at(self, now: float) -> "Play":
        self.see(CALM, now)
        return self


def test_named_and_cleared_is_as_expected() -> None:
    play = Play()
    assert play.phase() is Phase.FAULT
    assert play.see(CALM, 14.0) == []
    assert play.see(standing(RIGHT), 14.25) == [
        f"NAMED {SHOWN} after 4.2 s", "  newest", "  older", "  The standby relay backup works."
    ]  # fmt: skip
    assert play.see(standing(RIGHT), 19.0) == []
    assert play.see(standing(RIGHT), 19.25) == ["RECOVERY What was broken works again."]
    assert play.see(standing(RIGHT), 25.0) == []
    assert play.see(Names((), (RIGHT,)), 26.0) == [f"CLEARED {SHOWN} after 6.8 s"]
    assert play.see(Names((), (RIGHT,)), 60.0) == []
    assert play.phase() is Phase.OVER
    assert play.course.problems == ()
    assert play.course.verdict.startswith("AS EXPECTED ")


def test_nothing_breaks_before_all_was_seen_to_be_well() -> None:
    course = Course(HOLDING, 60)
    assert course.see(CALM, fewest=2, now=20) == []
    assert course.see(CALM, fewest=3, now=21) == [f"FAULT {HOLDING.tells}"]


def test_a_short_demo_is_as_long_healthy_as_it_can_be() -> None:
    course = Course(HOLDING, 30)
    assert course.see(CALM, fewest=3, now=4.9) == []
    assert course.see(CALM, fewest=3, now=5.0) != []


def test_a_fault_that_nobody_names_ends_in_time_for_the_recovery() -> None:
    play = Play()
    assert play.see(CALM, 39.9) == []
    assert play.see(CALM, 40.0) == ["RECOVERY What was broken works again."]
    assert play.see(CALM, 59.0) == []
    assert play.course.problems == ("The fault was not named.",)


def test_a_fault_may_be_named_when_it_is_just_over() -> None:
    play = Play()
    play.see(CALM, 40.0)
    assert play.see(standing(RIGHT), 41.0)[0] == f"NAMED {SHOWN} after 31.0 s"
    play.cleared_at(45.0)
    assert play.course.problems == ()


def test_what_stays_named_is_not_cleared() -> None:
    play = Play().named_at(14.0).named_at(19.0).named_at(60.0)
    assert play.course.problems == ("The fault was not cleared.",)


def test_what_goes_while_the_fault_lasts_is_not_cleared_by_that() -> None:
    play = Play().named_at(14.0).cleared_at(15.0)
    assert play.phase() is Phase.FAULT
    assert play.see(standing(RIGHT), 16.0) == []
    play.named_at(20.0).cleared_at(25.0)
    assert play.course.problems == ()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (Name(OTHER, (Fault.HOLDING,)), "kind=node node=node1 fault=holding"),
        (Name(NODE, (Fault.UNREACHABLE,)), "kind=node node=node2 fault=unreachable"),
        (Name(NODE, (Fault.HOLDING, Fault.DUPLICATING)),
         "kind=node node=node2 fault=holding,duplicating"),
        (Name(Component(Kind.PROBER), (Fault.UNREACHABLE,)), "kind=prober fault=unreachable"),
    ],
    ids=["another component", "another fault", "a further fault", "the prober"],
)  # fmt: skip
def test_what_is_wrongly_named_is_said_once_and_counts(wrong: Name, said: str) -> None:
    play = Play().named_at(14.0)
    assert play.see(standing(RIGHT, wrong), 15.0) == [f"ALSO NAMED {said}"]
    assert play.see(standing(RIGHT, wrong), 16.0) == []
    play.named_at(20.0).cleared_at(25.0)
    assert play.course.problems == (f"Wrongly named: {said}.",)
    assert play.course.verdict.startswith("NOT AS EXPECTED ")


def test_an_incident_between_two_looks_counts_too() -> None:
    play = Play().named_at(14.0)
    wrong = Name(OTHER, (Fault.HOLDING,))
    assert play.see(Names((RIGHT,), (RIGHT, wrong)), 15.0) != []
    assert len(play.course.problems) == 2, "the wrong name, and that it is not cleared"


def test_a_tie_is_no_wrong_name_and_no_right_one() -> None:
    play = Play()
    tie = Name(Component(Kind.ROUTE, "pool", "node2"), (Fault.HOLDING,), decided=False)
    half = Name(NODE, (Fault.HOLDING,), decided=False)
    assert play.see(standing(tie), 12.0) == play.see(standing(half), 13.0) == []
    play.named_at(14.0).named_at(20.0)
    assert play.see(standing(tie), 25.0) == [], "it is not over while there is a suspicion"
    play.cleared_at(26.0)
    assert play.course.problems == ()


@pytest.mark.parametrize(
    "faults", [(Fault.HOLDING, Fault.LATE), (Fault.LATE,), (Fault.HOLDING, Fault.INTERMITTENT)]
)
def test_what_it_becomes_is_not_wrong(faults: tuple[Fault, ...]) -> None:
    play = Play().named_at(14.0).named_at(20.0)
    assert play.see(standing(Name(NODE, faults)), 21.0) == []
    play.cleared_at(26.0)
    assert play.course.problems == ()


def test_named_before_it_broke_or_after_it_was_over_is_wrong() -> None:
    early = Course(HOLDING, 60)
    said = [f"ALSO NAMED {SHOWN} while nothing is wrong"]
    assert early.see(standing(RIGHT), fewest=3, now=5.0) == said
    play = Play().named_at(14.0).named_at(20.0).cleared_at(25.0)
    assert play.see(standing(RIGHT), 30.0) == said


def test_healthy_stays_healthy_and_names_nothing() -> None:
    play = Play(SCENARIOS["healthy"])
    assert play.see(CALM, 60.0) == []
    assert (play.phase(), play.course.problems) == (Phase.HEALTHY, ())
    assert play.see(standing(RIGHT), 61.0) == [f"ALSO NAMED {SHOWN}"]


def test_healthy_is_only_what_has_delivered() -> None:
    course = Course(SCENARIOS["healthy"], 60)
    course.see(CALM, fewest=0, now=60.0)
    assert course.problems == ("Not every route has delivered.",)


def test_a_component_is_called_by_the_label_of_its_kind() -> None:
    tie = Component(Kind.ROUTE, relay="pool", node="node1", mailbox="corp")
    assert label(tie, Fault.LATE) == "kind=route relay=pool node=node1 mailbox=corp fault=late"
    assert label(Component(Kind.MAILBOX, mailbox="corp"), Fault.FULL) == (
        "kind=mailbox mailbox=corp fault=full"
    )


def test_the_table_has_what_the_command_line_offers() -> None:
    assert list(SCENARIOS) == list(USUAL)
    for scenario in SCENARIOS.values():
        assert scenario.tells.endswith(".")
    pairs = itertools.combinations(SCENARIOS.values(), 2)
    assert all(one.trouble != other.trouble for one, other in pairs)
