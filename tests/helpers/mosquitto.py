"""A real broker of a test's own."""

import re
from contextlib import ExitStack
from pathlib import Path

from tests.helpers.programs import answers, component, free_port, program, wait_until
from tests.helpers.telegrams import ROOT


def blocks(language: str) -> list[str]:
    """Give the blocks of docs/mqtt.md in a language: what it says is what the tests run."""
    page = (ROOT / "docs" / "mqtt.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


class Mosquitto:
    """A broker of the test's own, set up as docs/mqtt.md says; more lines of its file may be given."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.port = free_port()
        self.log = folder / "mosquitto.log"
        self._running = ExitStack()
        config = folder / "mosquitto.conf"
        config.write_text(
            "\n".join(
                (
                    "user root",
                    *(() if "allow_anonymous false" in lines else ("allow_anonymous true",)),
                    *blocks("conf"),
                    f"persistence_location {folder}/",
                    "log_type all",
                    f"listener {self.port} 127.0.0.1",
                    *lines,
                    "",
                )
            )
        )
        self._command = [component("mosquitto"), "-c", str(config)]

    def start(self) -> "Mosquitto":
        with self.log.open("ab") as log:
            self._running.enter_context(program(self._command, stdout=log, stderr=log))
        wait_until(lambda: answers(self.port), "mosquitto")
        return self

    def stop(self) -> None:
        self._running.close()

    def url(self, topic: str) -> str:
        return f"mqtt://127.0.0.1:{self.port}/{topic}"
