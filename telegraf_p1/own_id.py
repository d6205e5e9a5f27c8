"""A name for this user of this computer, by which a broker knows him again."""

import hashlib
import os
import socket


def own_id(what: str) -> str:
    """Give an id that is the same after a restart, and another one for another use, computer or user."""
    text = f"{socket.gethostname()} {os.getuid()} {what}"
    return "p1-" + hashlib.sha256(text.encode()).hexdigest()[:16]
