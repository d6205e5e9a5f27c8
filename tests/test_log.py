from telegraf_p1.log import Log


def test_a_message_is_one_short_line_of_ascii() -> None:
    lines: list[str] = []
    Log(lines.append).error("a\nb\x00\xff\u20ac" + "x" * 5000)
    (line,) = lines
    assert line.startswith("E! a\\nb\\x00\\xff\\u20acxxx")
    assert line.endswith("...\n")
    assert len(line) <= 1024


def test_a_repeated_cause_is_held_back_for_a_minute_and_counted() -> None:
    lines: list[str] = []
    now = 0.0
    log = Log(lines.append, lambda: now)
    for second in range(121):
        now = float(second)
        log.warning_for("crc", "bad")
        log.warning_for("other", "worse")
    assert lines.count("W! bad\n") == 1
    assert lines.count("W! bad (59 similar messages suppressed)\n") == 2
    assert sum("worse" in line for line in lines) == 3
