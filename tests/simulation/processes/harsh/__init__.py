"""A database and a clock that can be harmed from outside, for processes started by tests only (settings `harsh.settings`).

What is wrong at the moment is a file in the data directory: `read-only` makes SQLite refuse every write, `full` lets it
grow no more, `clock` holds the seconds by which this machine's clock is wrong. Without a file all is well.
"""

READ_ONLY, FULL, CLOCK = "harm-read-only", "harm-full", "harm-clock"
