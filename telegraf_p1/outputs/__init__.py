"""Where records go: lines on stdout, MQTT topics, and statistics beside them.

An output is a function that takes a record. To add one: a file here, an option in
`commands/run.py`, and its place in the list of outputs there.
"""

from collections.abc import Callable

from telegraf_p1.record import Record

Output = Callable[[Record], None]
