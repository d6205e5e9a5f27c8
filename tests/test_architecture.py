"""The rules of CONTRIBUTING.md that a program can check."""

import ast
import re
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import telegraf_p1

ROOT = Path(__file__).parent.parent
PACKAGE = Path(telegraf_p1.__file__).parent
# What a module may know of ours, in the order of the picture in CONTRIBUTING.md.
MAY_KNOW = {
    # for everybody
    "": "",
    "log": "credentials",
    "advice": "",
    "outage": "log",
    "backoff": "",
    "loaded": "url",
    "durations": "",
    "execd": "",
    "pipe": "log",
    "url": "durations",
    "credentials": "url",
    "mqtt_options": "credentials",
    "kafka_options": "credentials tls url",
    "connect": "",
    "tls": "connect url",
    "mqtt_client": "connect tls",
    "own_id": "",
    "mqtt_broker": "mqtt_client mqtt_options",
    # bytes → a Telegram that may be believed, or why not
    "framer": "",
    "crc_without_c": "",
    "crc": "crc_without_c",
    "diagnosis": "telegram",
    "readout": "values",
    "telegram": "advice crc readout",
    "keys": "credentials",
    "decrypt": "framer keys telegram",
    "scrub": "crc framer identifiers obis.kinds obis.lookup readout telegram values",
    # the table
    "obis": "",
    "obis.kinds": "",
    "obis.table": "obis.kinds",
    "obis.lookup": "obis.kinds obis.table values",
    "obis.listing": "obis.kinds obis.table",
    # a Telegram → a Record → a line
    "values": "",
    "timestamp": "values",
    "mbus": "values",
    "record": "values",
    "decode": "mbus obis.kinds obis.lookup record telegram timestamp values",
    "lineproto": "record values",
    "metrics": "",
    "shapes": "crc framer record timestamp values",
    "shape_learner": "decode lineproto mbus obis.kinds obis.lookup record shapes telegram timestamp values",
    "identifiers": "credentials obis.kinds obis.lookup record values",
    # sources: no telegram, no retry, no log
    "sources.events": "",
    "sources.connection": "sources.events",
    "sources.envelope": "",
    "sources.serial_settings": "url",
    "sources": "advice loaded sources.connection url",
    "sources.file": "sources.connection sources.events url",
    "sources.tcp": "connect sources.connection sources.events url",
    "sources.rhythm": "",
    "sources.line_search": "sources.serial_settings",
    "sources.serial_port": "sources.connection sources.events sources.line_search sources.rhythm "
    "sources.serial_settings url",
    "sources.auto": "sources.connection sources.events sources.line_search sources.serial_port url",
    "sources.rfc2217": "sources.connection sources.events sources.serial_settings url",
    "sources.p0_protocol": "crc sources.serial_settings",
    "sources.p0": "connect readout sources.connection sources.events sources.p0_protocol sources.rfc2217 "
    "sources.serial_port sources.serial_settings url",
    "sources.incoming": "connect",
    "sources.http_exchange": "connect sources.envelope sources.incoming tls",
    "sources.http_get": " credentials sources.connection sources.envelope sources.events sources.http_exchange tls url",
    "sources.websocket": " sources.connection sources.envelope sources.events tls url",
    "sources.http_server": "sources.envelope sources.incoming",
    "sources.http_listen": "credentials sources.connection sources.envelope sources.events sources.http_server url",
    "sources.mqtt": "mqtt_broker mqtt_client mqtt_options own_id sources.connection sources.envelope sources.events "
    "tls url",
    "sources.kafka": "kafka_options own_id sources.connection sources.envelope sources.events url",
    "sources.sim": "durations simulator.countries simulator.encrypted simulator.meter sources.connection "
    "sources.events url",
    # events → records
    "warn": "advice diagnosis log record sources.events telegram",
    "interpreter": "advice decode decrypt diagnosis framer keys lineproto log obis.lookup record shape_learner "
    "shapes sources.events telegram timestamp warn",
    "reconnect": "backoff log outage sources.connection sources.events",
    "loop": "interpreter outputs sources.connection",
    "processor": "interpreter log metrics outputs sources.envelope sources.events",
    # records → lines, topics
    "outputs": "record",
    "outputs.mapping": "obis.lookup record values",
    "outputs.definitions_file": "lineproto obis.kinds obis.table obis.lookup outputs.mapping telegram values",
    "outputs.stdout": "lineproto outputs outputs.mapping record",
    "outputs.periods": "lineproto record",
    "outputs.pacing": "execd outputs outputs.periods record",
    "outputs.history": "lineproto outputs.mapping outputs.periods record",
    "outputs.statistics": "interpreter lineproto record",
    "outputs.mqtt": "mqtt_client mqtt_options log outputs.mapping record tls url",
    # telegrams that go on as they came
    "forward": "forward.target loaded log url",
    "forward.letter": "",
    "forward.target": "forward.letter",
    "forward.spool": "forward.letter log url",
    "forward.threaded": "backoff forward.letter forward.target log outage url",
    "forward.mqtt": "backoff forward.letter forward.target forward.threaded log mqtt_broker mqtt_client mqtt_options "
    "own_id tls url",
    "forward.forwarder": "forward.letter forward.spool forward.target log",
    "forward.kafka": "forward.letter forward.target forward.threaded kafka_options log url",
    # simulated meters
    "simulator": "",
    "simulator.weather": "",
    "simulator.day": "",
    "simulator.living": "simulator.day simulator.weather",
    "simulator.demand": "",
    "simulator.house": "simulator.day simulator.demand simulator.living simulator.weather timestamp",
    "simulator.countries.country": "simulator.house timestamp",
    "simulator.countries.common_lines": "simulator.house timestamp",
    "simulator.countries": "simulator.countries.*",
    "simulator.encrypted": "keys",
    "simulator.meter": "crc keys simulator.countries simulator.encrypted simulator.house simulator.living",
    "simulator.p0_meter": "crc simulator.house",
    "simulator.p0_pty": "simulator.house simulator.p0_meter",
    "simulator.targets": "mqtt_options simulator.countries simulator.encrypted simulator.meter simulator.p0_pty",
    # `check`: who speaks where
    "check": "",
    "check.causes": "advice diagnosis telegram",
    "check.ports": "check.causes sources.auto",
    "check.receiver": "advice interpreter keys log record sources.events telegram timestamp url",
    "check.listen": "check.causes check.receiver check.ports diagnosis sources sources.connection sources.events "
    "sources.serial_settings telegram url",
    "check.form": "simulator.countries telegram timestamp",
    "check.meter": " check.receiver check.form decode identifiers obis.lookup record telegram timestamp values",
    "check.block": "check.meter timestamp url",
    "check.report": " check.block check.causes check.listen check.meter check.ports keys mqtt_options obis.lookup "
    "record sources.sim timestamp url values",
    "check.screen": " check.report check.block check.listen check.meter record",
    "check.watch": " check.listen check.screen identifiers interpreter keys log reconnect timestamp",
    "check.network": "check url",
    "check.topics": "advice check decode framer identifiers mqtt_broker mqtt_client mqtt_options sources.envelope "
    "telegram timestamp tls url",
    # the command line
    "commands": "",
    "commands.check": "check.block check.causes check.listen check.network check.ports check.report check.screen "
    "check.topics check.watch commands commands.options sources.auto url",
    "commands.options": "commands durations identifiers interpreter keys lineproto outputs.definitions_file "
    "outputs.mapping shapes sources timestamp url",
    "commands.run": "commands commands.options execd interpreter log loop outputs.stdout outputs.statistics outputs "
    "outputs.history outputs.mapping outputs.mqtt outputs.pacing pipe reconnect sources sources.connection url",
    "commands.process": "advice commands commands.options execd interpreter log outputs outputs.history outputs.stdout "
    "pipe processor",
    "commands.progress": "",
    "commands.decode": "commands commands.options commands.progress decrypt framer interpreter keys lineproto log loop "
    "outputs.history outputs.stdout scrub sources.file telegram",
    "commands.forward": "commands commands.options execd forward forward.forwarder forward.letter forward.spool framer "
    "interpreter log loop mqtt_options record reconnect sources url",
    "commands.simulate": "commands durations log simulator.targets",
    "commands.fields": "commands obis.listing",
    "__main__": " commands commands.* log url",
}
COUNTRY = "simulator.countries.country simulator.countries.common_lines simulator.demand simulator.house timestamp"
PURE = [
    "framer",
    "crc",
    "crc_without_c",
    "readout",
    "telegram",
    "decrypt",
    "diagnosis",
    "obis.kinds",
    "obis.table",
    "obis.lookup",
    "values",
    "timestamp",
    "mbus",
]
PURE += [
    "shapes",
    "shape_learner",
    "scrub",
    "identifiers",
    "record",
    "decode",
    "lineproto",
    "metrics",
    "sources.envelope",
    "sources.rhythm",
    "sources.line_search",
    "sources.p0_protocol",
    "outputs.mapping",
    "forward.letter",
]
OUTSIDE = {"socket", "time", "logging", "os", "sys", "io", "select", "threading", "subprocess", "pathlib", "serial"}

MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip("."): path
    for path in PACKAGE.rglob("*.py")
}


def imports(module: str) -> set[str]:
    """Give what a module imports anywhere in it: `os`, `telegraf_p1.crc`; ours by the file that holds it."""
    names = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                names.add(inner if inner.removeprefix("telegraf_p1.") in MODULES else node.module)
    return names


def ours(module: str) -> set[str]:
    names = {name for name in imports(module) if name.partition(".")[0] == "telegraf_p1"}
    return {name.removeprefix("telegraf_p1").lstrip(".") for name in names} - {""}


def allowed(module: str) -> set[str]:
    """Give what it may know; `simulator.countries.*` stands for all in that folder."""
    found = set()
    for name in MAY_KNOW.get(module, COUNTRY).split():
        folder = name.removesuffix("*")
        found |= {other for other in MODULES if other.startswith(folder)} if folder != name else {name}
    return found


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_knows_only_what_it_may(module: str) -> None:
    assert module in MAY_KNOW or module.startswith("simulator.countries."), "say in MAY_KNOW what it may know"
    assert ours(module) <= allowed(module)


def test_no_rule_is_about_a_module_that_is_not_there_or_allows_more_than_is_used() -> None:
    assert MAY_KNOW.keys() <= MODULES.keys()
    for module, names in MAY_KNOW.items():
        assert {name for name in names.split() if not name.endswith("*")} <= ours(module), module


def test_there_is_no_cycle() -> None:
    TopologicalSorter({module: ours(module) for module in MODULES}).prepare()


@pytest.mark.parametrize("module", PURE)
def test_the_core_does_no_input_or_output_and_reads_no_clock(module: str) -> None:
    assert {name.partition(".")[0] for name in imports(module)} & OUTSIDE == set()
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(MODULES[module].read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert calls & {"open", "print", "input"} == set()


def test_what_draws_on_the_terminal_is_loaded_for_one_command_only() -> None:
    assert [name for name in MODULES if any(one.partition(".")[0] == "rich" for one in imports(name))] == [
        "check.screen"
    ]


def test_functions_stay_short() -> None:
    for path in MODULES.values():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 60, f"{path}: {node.name}"


def test_the_picture_in_contributing_names_every_file() -> None:
    picture = (ROOT / "CONTRIBUTING.md").read_text().partition("```\ntelegraf_p1/")[2].partition("```")[0]
    shown = Counter(re.findall(r"\w+\.py", picture))
    files = Counter(path.name for path in MODULES.values() if path.name != "__init__.py")
    countries = {path.name for path in (PACKAGE / "simulator" / "countries").glob("[a-z]*.py")}
    for name in countries - {"country.py", "common_lines.py"}:
        del files[name]
    assert files - shown == Counter(), "put it into the picture at the top of CONTRIBUTING.md"
    assert shown - files == Counter(), "take it out of the picture in CONTRIBUTING.md"
