"""`telegraf-p1 check`: which meter speaks where, or why none does, and the configuration that reads it.

`ports.py` and `listen.py` hear what there is, `meter.py`, `form.py` and `causes.py` say what it means, `block.py`
writes the configuration, `report.py` and `screen.py` show all of it.
"""


def shown(text: str) -> str:
    """Give a foreign text as it may be shown."""
    return "".join(character if character.isprintable() else "?" for character in text)
