"""The program as a whole: what it says when something is wrong with itself."""

import json
import threading

import pytest

from telegraf_p1 import __main__
from telegraf_p1.commands import fields

TEXT = "0123456789abcdef"


def raise_(_chosen: object) -> int:
    raise ValueError(TEXT)


def raise_in_a_library(_chosen: object) -> int:
    json.loads(f"[{TEXT}]")
    return 0


def raise_in_a_thread(_chosen: object) -> int:
    thread = threading.Thread(target=raise_, args=(None,))
    thread.start()
    thread.join()
    return 0


@pytest.fixture(autouse=True)
def _threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)  # so that it is put back


@pytest.mark.parametrize("bug", [raise_, raise_in_a_library, raise_in_a_thread])
def test_a_bug_is_one_line_with_its_place_and_no_text(
    bug: object, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fields, "main", bug)
    code = __main__.console(["fields"])
    out, said = capfd.readouterr()
    assert out == ""
    assert said.startswith("E! this is a bug, please report it: ")
    assert said.count("\n") == 1
    assert TEXT not in said
    assert code == (0 if bug is raise_in_a_thread else 1)


def test_a_bug_in_a_library_names_the_place_that_called_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fields, "main", raise_in_a_library)
    __main__.console(["fields"])
    assert ": JSONDecodeError at decoder.py:" in (said := capfd.readouterr().err)
    assert ", from __main__.py:" in said
