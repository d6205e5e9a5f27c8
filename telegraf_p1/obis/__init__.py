"""The table: which OBIS reference becomes which field.

`table` has the rows, `kinds` the ways in which a value is read, `lookup` finds a row, `listing` prints the rows.
"""
