"""The commands, one file each.

`add` adds the command and its options to the parser. `main` runs it and returns the exit code, or raises
UsageError for what the user has to change. A command imports what it needs in `main`, so that other commands
start without it.
"""

from typing import Final

DOCS: Final = "https://metertrekker.github.io/telegraf_p1"  # scripts/command_line.py makes links of URLs below it
# Texts that the help of several commands shares.
TIMES: Final = "A TIME is a number of seconds, or has a unit: 500ms, 10s, 15m, 1h."
SECRETS: Final = "Passwords, tokens and keys come from environment variables, never from the command line."

OK: Final = 0
REJECTED: Final = 1  # decode: a telegram was rejected, or none was found
NO_TELEGRAM: Final = "no telegram found: a telegram begins with / at the start of a line and ends with ! and its CRC"
