"""Where records go: lines on stdout, MQTT topics, and statistics.

An output is a function that takes the records of one `read`. The function that makes one raises UsageError for what the
user has to change. An output handles its own errors, since no record may be lost because of them: an OSError that it
raises means that stdout cannot be written. It is not told about the end of the program, which does not wait for it.

To add one: a file here, an option in `commands/run.py`, and its place in `_outputs` there.
"""

from collections.abc import Callable, Sequence

from telegraf_p1.record import Record

Output = Callable[[Sequence[Record]], None]
