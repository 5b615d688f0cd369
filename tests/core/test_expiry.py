"""A certificate is called insecure in its last days, and why is said."""

import pytest

from probe.core.expiry import LAST_DAYS, remark

END = 1_800_000_000.0


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (LAST_DAYS, None),
        (48 * 3600.0, "the certificate ends at 2027-01-15T08:00:00Z, in 48 h"),
        (-1.0, "the certificate ended at 2027-01-15T08:00:00Z"),
    ],
)
def test_it_is_remarked_in_its_last_three_days(before: float, said: str | None) -> None:
    assert remark(END, END - before) == said
