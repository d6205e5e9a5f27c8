"""`telegraf-p1 check`: finds meters, or the reason why there is none, and writes the configuration for them.

`ports.py` and `listen.py` receive what there is; `meter.py`, `form.py` and `causes.py` interpret it; `block.py` writes
the configuration; `report.py` and `screen.py` show the result.
"""


def shown(text: str) -> str:
    """Return a text from outside that is safe to print: unprintable characters become `?`."""
    return "".join(character if character.isprintable() else "?" for character in text)
