from collections import defaultdict

from telegraf_p1.simulator.living import Equipment
from tests.dashboards.living import NOW, Database, Home, fill


class Kept(Database):
    """A database that keeps, of each measurement, the fields by the time in s."""

    def __init__(self) -> None:
        super().__init__("")
        self.points: defaultdict[str, dict[int, dict[str, str]]] = defaultdict(dict)

    def flush(self) -> None:
        for line in self._lines:
            series, fields, time = line.split(" ")
            pairs = dict(pair.split("=") for pair in fields.split(","))
            self.points[series.partition(",")[0]][int(time) // 10**9] = pairs
        self._lines.clear()


def test_a_home_has_all_that_pictures_show_up_to_now() -> None:
    kept = Kept()
    fill(Home("home", "heat", 1, Equipment(), has_more=True), [kept])
    assert kept.points.keys() == {"p1", "p1_history", "p1_stats", "inverter", "prices"}
    p1, history = kept.points["p1"], kept.points["p1_history"]
    assert max(p1) == max(kept.points["p1_stats"]) == NOW
    assert [now for now in range(NOW - 3600, NOW) if now not in p1] == []
    quarters = range(min(history), NOW + 1, 900)
    assert [*history] == [*quarters]
    assert all(one.keys() == {"heat_gj"} and p1[now] | one == p1[now] for now, one in history.items())
    sun = kept.points["inverter"]
    made = [(float(one["energy_kwh"]), float(one["power_w"])) for one in sun.values()]
    assert made == sorted(made, key=lambda pair: pair[0])
    year_kwh = made[-1][0] - made[0][0]
    assert 3500 < year_kwh < 5000
    last_day = [now for now in sun if now > NOW - 86400]
    summed = sum(float(sun[now]["power_w"]) for now in last_day) / 12 / 1000
    assert abs(summed - (float(sun[last_day[-1]]["energy_kwh"]) - float(sun[last_day[0]]["energy_kwh"]))) < 0.2
    prices = [float(one["eur_kwh"]) for one in kept.points["prices"].values()]
    assert min(prices) < 0
    assert 0.05 < sum(prices) / len(prices) < 0.15
    assert max(kept.points["prices"]) > NOW
