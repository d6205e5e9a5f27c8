"""Telegrams of our own making, each beside the line it has to give."""

from pathlib import Path

import pytest

from telegraf_p1 import lineproto
from telegraf_p1.simulator.countries import COUNTRIES
from tests.helpers.telegrams import GOLDEN, records, zone_of


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_telegram_gives_its_line(path: Path) -> None:
    (record,) = records(path.read_bytes(), zone_of(path.stem))
    assert lineproto.line(record) == path.with_suffix(".line").read_text().rstrip("\n")
    assert record.remarks == []


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_it_is_the_same_with_noise_before_and_another_behind(path: Path) -> None:
    data = path.read_bytes()
    once = records(data)
    assert records(b"\0\xffnoise" + data + data.rstrip()) == once * 2


@pytest.mark.parametrize("path", [p for p in GOLDEN if b"!\r" not in p.read_bytes()], ids=lambda path: path.stem)
def test_it_is_the_same_with_lf_for_cr_lf(path: Path) -> None:
    data = path.read_bytes()
    assert records(data.replace(b"\r\n", b"\n")) == records(data)


def test_there_is_a_golden_of_each_country_that_has_a_form() -> None:
    with_forms = {country.code for country in COUNTRIES if any(meters.form for meters in country.meters)}
    codes = {path.stem.partition("-")[0] for path in GOLDEN}
    assert with_forms <= codes <= {country.code for country in COUNTRIES}
