"""The table: which OBIS reference becomes which field.

`kinds` are the ways in which a value is read, `rows` the table itself, `table` finds a row,
`listing` shows the rows to people.
"""
