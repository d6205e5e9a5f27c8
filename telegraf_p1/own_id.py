"""An id for this user on this computer, by which a broker recognizes its client."""

import hashlib
import os
import socket


def own_id(what: str) -> str:
    """Return an id that stays the same after a restart, and differs by use, computer and user."""
    text = f"{socket.gethostname()} {os.getuid()} {what}"
    return "p1-" + hashlib.sha256(text.encode()).hexdigest()[:16]
