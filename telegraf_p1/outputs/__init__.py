"""Where records go: lines on stdout, MQTT topics, and statistics beside them.

An output is a function that takes the records of what came together. It raises UsageError when it is made, for what
the user has to change. Its own trouble it deals with itself, since a record must not be lost for it: an OSError that
leaves it means that stdout cannot be written. Nothing tells it of the end, which does not wait.
To add one: a file here, an option in `commands/run.py`, and its place in `_outputs` there.
"""

from collections.abc import Callable, Sequence

from telegraf_p1.record import Record

Output = Callable[[Sequence[Record]], None]
