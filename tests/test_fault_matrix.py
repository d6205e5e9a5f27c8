"""The rows of tests/faults fail when something is lost that could have been kept."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.matrix import Row, fault


def run(test: Callable[[Row], None], folder: Path, loses: str = "") -> None:
    """Run a row whose plugin is this process."""

    @fault("part", "what", loses, memory=10_000)
    def measured(row: Row) -> None:
        row.measure(os.getpid())
        test(row)

    measured(row=Row(folder))


def all_but(lost: int, *, is_heard: bool = True) -> Callable[[Row], None]:
    def test(row: Row) -> None:
        row.send(2)
        row.came(list(row.sent)[lost:])
        if not is_heard:
            with row.unheard():
                row.telegram()

    return test


def test_a_row_holds_when_all_came(tmp_path: Path) -> None:
    run(all_but(0), tmp_path)


def test_a_telegram_that_was_heard_has_to_come(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        run(all_but(1), tmp_path, "something")


def test_what_nobody_heard_may_be_lost_if_the_row_says_why(tmp_path: Path) -> None:
    run(all_but(0, is_heard=False), tmp_path, "something")
    with pytest.raises(AssertionError):
        run(all_but(0, is_heard=False), tmp_path)


def test_no_record_may_come_that_no_telegram_said(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        run(lambda row: row.came(["p1 power_import_kw=1 1700000001000000000"]), tmp_path)
