"""Pictures of whole dashboards: each panel drawn in a browser with Grafana's own components, from a database's answers.

`Browser` draws what `rows` gives; draw.cjs and the page in `page/` do it, and say what is wrong with a picture.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.dashboards.dashboard import Database, Influx, Section, Shown, View, look_up, show_sections
from tests.dashboards.templating import Json, Value, written
from tests.helpers.programs import component, program

_HERE: Final = Path(__file__).parent
_EDITOR: Final = ("monaco-editor", "@monaco-editor/react")  # large, and not needed


@dataclass(frozen=True)
class Look:
    """Who looks at a dashboard: the theme, the width of the window (px), and whether only the panels are shown."""

    theme: str
    width: int
    kiosk: bool = False

    @property
    def points(self) -> int:
        """How many points a panel asks for, about as many as it is wide."""
        return min(1000, self.width)


LOOKS: Final = {
    "dark-1600": Look("dark", 1600),
    "light-1600": Look("light", 1600),
    "dark-1268": Look("dark", 1268),
    "phone-390": Look("dark", 390),
    "kiosk-1920": Look("dark", 1920, kiosk=True),
}


@dataclass(frozen=True)
class House:
    """A dashboard in front of a household's database, at a time (s).

    `variables` are those that somebody has set; `opened`: the collapsed rows are open.
    """

    name: str
    dashboard: Json
    database: Database
    now: float
    variables: dict[str, Value]
    zone: str = "Europe/Amsterdam"
    opened: bool = False


@dataclass(frozen=True)
class Finding:
    """What is wrong with a picture.

    The kind is `no data`, `cut` (a text or a label that is not whole), `scrolls` (a table has more than is seen; once a
    panel), `small` (a text under 10 px, the smallest of a panel), `overlap` (two labels), `icon`, `font`, `console`,
    `exception` or `request`; `panel` is a title, empty for the page as a whole.
    """

    kind: str
    panel: str
    text: str


class Browser:
    """A browser that draws pictures, one after the other."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def draw(self, job: Json, file: Path) -> list[Finding]:
        """Draw what `picture` gives into a PNG; an error of the tool itself is an AssertionError."""
        assert self._process.stdin
        assert self._process.stdout
        file.parent.mkdir(parents=True, exist_ok=True)
        self._process.stdin.write(json.dumps(job | {"file": str(file.absolute())}).encode() + b"\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or '{"error": "the browser is gone"}')
        assert "error" not in answer, answer["error"]
        return [Finding(**finding) for finding in answer["findings"]]


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """Bundle the page into a folder and start a browser; both take a second or two."""
    packages = Path(component("grafana_ui")) / "node_modules"
    node = shutil.which("node")
    assert node, "Grafana's library needs node"
    _bundle(packages, folder)
    environment = {"NODE_PATH": str(packages), "P1_CHROMIUM": component("chromium"), "P1_PAGE": str(folder)}
    command = [node, str(_HERE / "draw.cjs")]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with program(command, env=os.environ | environment, **pipes) as process:
        yield Browser(process)


def _bundle(packages: Path, folder: Path) -> None:
    # npm puts the binary there in a step of the installation that is left out; this is where it comes from.
    (esbuild,) = packages.glob("@esbuild/*/bin/esbuild")
    command = [str(esbuild), str(_HERE / "page" / "page.jsx"), "--bundle", f"--outfile={folder}/page.js"]
    command += ["--log-level=warning", "--define:global=window"]
    command += [f"--alias:{name}={_HERE}/page/nothing.js" for name in _EDITOR]
    command += ['--define:process.env.NODE_ENV="production"']
    subprocess.run(command, env=os.environ | {"NODE_PATH": str(packages)}, check=True, timeout=120)


def draw_house(
    browser: Browser, house: House, folder: Path, looks: dict[str, Look] = LOOKS
) -> dict[str, list[Finding]]:
    """Draw a house's dashboard in all looks, HOUSE-LOOK.png; give what is wrong, by look."""
    answers: dict[int, Json] = {}
    found = {}
    for name, look in looks.items():
        if look.points not in answers:
            answers[look.points] = answered(house, look.points)
        job = answers[look.points] | {"theme": look.theme, "width": look.width, "kiosk": look.kiosk}
        found[name] = browser.draw(job, folder / f"{house.name}-{name}.png")
    return found


def answered(house: House, points: int) -> Json:
    """Give a house's dashboard with what its database answers, as the page wants it."""
    dashboard, database = house.dashboard, house.database
    assert dashboard["time"]["to"] == "now"
    found = look_up(dashboard, database, house.variables)
    chosen = {name: choice.value for name, choice in found.items()} | house.variables
    view = View(house.now, chosen, house.zone, dashboard["time"]["from"], pixels=points, choices=found)
    store = "InfluxDB" if isinstance(database, Influx) else "Prometheus"
    bar = [
        {
            **{key: variable.get(key) for key in ("name", "label", "hide")},
            "text": written(found[name], chosen[name]) if (name := variable["name"]) in found else store,
        }
        for variable in dashboard["templating"]["list"]
    ]
    return {
        "zone": house.zone,
        "now": round(house.now * 1000),
        "range": dashboard["time"],
        "refresh": dashboard.get("refresh", ""),
        "links": [{key: link[key] for key in ("title", "type")} for link in dashboard.get("links", [])],
        "variables": bar,
        "rows": [
            _row(section, shown, view) | ({"collapsed": False} if house.opened else {})
            for section, shown in show_sections(dashboard, database, view, collapsed=house.opened)
        ],
    }


def _row(section: Section, shown: list[Shown], view: View) -> Json:
    """Give a row with its panels; what stands above the first row has no title."""
    row = section.row
    nowhere = Shown({}, 0, 0, 1, scoped=section.scoped)
    return {
        "title": None if row is None else nowhere.label(row["title"], view, "text"),
        "collapsed": bool(row and row.get("collapsed")),
        "count": len(section.panels),
        "panels": [_drawn(one, view) for one in shown],
    }


def _drawn(one: Shown, view: View) -> Json:
    """Give a panel with the variables in it, and the frames that its queries gave."""
    shown = {name: part for name, part in one.panel.items() if name not in ("targets", "datasource")}
    panel = one.labelled(shown, view)
    edges = {"from": one.start * 1000, "to": one.end * 1000}
    return {"title": one.title, "panel": panel, "frames": one.answers, **edges}
