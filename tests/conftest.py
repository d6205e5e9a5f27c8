import signal

import pytest

# Whose assertions show their values, as those of the tests do.
pytest.register_assert_rewrite("agreement", "databases", "stack")

# A shell that starts the tests in the background makes them, and all that they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
