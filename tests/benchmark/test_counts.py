"""The guard against regressions: counts, not seconds, so that it cannot flake.

`tests/regression_counts.py` says how to move one.
"""

import pytest

from regression_counts import Expected, measure, read_off, stored


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


def test_one_answer_more_or_less_does_not_trip_the_guard() -> None:
    answers = 2_000
    counts = [400.0, 560.0, 780.0]
    recalls = [0.93, 0.95, 0.965]
    before = read_off(0.95, recalls, counts)
    assert before == pytest.approx(560)
    held = Expected(before, 0.05, "a test")
    for step in (-2, -1, 1, 2):
        moved = read_off(0.95, [recalls[0], recalls[1] + step / answers, recalls[2]], counts)
        assert held.judge("n", moved) is None


@pytest.mark.parametrize("name", sorted(stored()))
def test_every_stored_count_says_why(name: str) -> None:
    assert len(stored()[name].reason) > 10
