"""The guard against regressions: counts, not seconds, so that it cannot flake.

`tests/regression_counts.py` says how to move one.
"""

import pytest

from regression_counts import Expected, measure, stored


def test_counts_are_what_they_were() -> None:
    expected, found = stored(), measure()
    assert set(found) == set(expected)
    wrong = [text for name, value in found.items() if (text := expected[name].judge(name, value))]
    assert not wrong, "\n".join(wrong)


def test_the_guard_sees_a_change_either_way() -> None:
    held = Expected(100.0, 0.05, "a test")
    assert held.judge("n", 104.9) is None
    assert held.judge("n", 95.1) is None
    assert "grew from 100 to 106" in (held.judge("n", 106.0) or "")
    assert "shrank" in (held.judge("n", 90.0) or "")


@pytest.mark.parametrize("name", sorted(stored()))
def test_every_stored_count_says_why(name: str) -> None:
    assert len(stored()[name].reason) > 10
