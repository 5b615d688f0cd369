"""One mechanism is chosen, and spoken as its RFC has it."""

import pytest

from probe.core.model import AuthMode
from probe.core.sasl import exchange, mechanism, telling


@pytest.mark.parametrize(
    ("mode", "offered", "chosen"),
    [
        (AuthMode.AUTO, ["cram-md5", "login", "plain"], AuthMode.PLAIN),
        (AuthMode.AUTO, ["cram-md5", "login"], AuthMode.LOGIN),
        (AuthMode.AUTO, ["xoauth2", "cram-md5"], AuthMode.CRAM_MD5),
        (AuthMode.AUTO, ["xoauth2", "scram-sha-256"], None),
        (AuthMode.AUTO, [], None),
        (AuthMode.CRAM_MD5, ["plain", "cram-md5"], AuthMode.CRAM_MD5),
        (AuthMode.LOGIN, ["plain"], None),
    ],
)
def test_the_first_mechanism_that_will_do_is_chosen(mode, offered, chosen):
    assert mechanism(mode, offered) is chosen


def said(mode, *challenges):
    steps = exchange(mode, "tim", "tanstaaftanstaaf")
    lines = [next(steps)]
    lines += [steps.send(challenge) for challenge in challenges]
    with pytest.raises(StopIteration):
        steps.send("")
    return lines


def test_plain_is_one_line():
    assert said(AuthMode.PLAIN) == ["AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm"]


def test_login_answers_twice():
    assert said(AuthMode.LOGIN, "VXNlcm5hbWU6", "UGFzc3dvcmQ6") == [
        "AUTH LOGIN",
        "dGlt",
        "dGFuc3RhYWZ0YW5zdGFhZg==",
    ]


def test_cram_md5_is_as_in_rfc_2195():
    challenge = "PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+"
    assert said(AuthMode.CRAM_MD5, challenge)[1] == (
        "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"
    )


def test_a_challenge_that_is_no_base64_is_an_error():
    steps = exchange(AuthMode.CRAM_MD5, "u", "p")
    next(steps)
    with pytest.raises(ValueError, match=r"."):
        steps.send("not base64!")


@pytest.mark.parametrize("mode", [AuthMode.PLAIN, AuthMode.LOGIN])
def test_everything_that_tells_the_password_is_known(mode):
    steps = exchange(mode, "user", "geheim")
    last = list(steps)[-1]
    assert any(secret in last for secret in telling("user", "geheim"))
