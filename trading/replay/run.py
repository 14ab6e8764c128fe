"""One whole replay: a fresh database, the days, the balance, the result."""

from __future__ import annotations

from collections.abc import Sequence

from trading.errors import ConfigError
from trading.market_data.sources import Recording
from trading.replay.arguments import check_days, setting_problem
from trading.replay.balance import check_balance
from trading.replay.database import use_fresh_database
from trading.replay.engine import Options, Progress, Replay
from trading.replay.result import Result, result_of
from trading.services.calendar import load_calendar


def play(
    recordings: Sequence[Recording], options: Options, progress: Progress | None = None
) -> Result:
    """Replay on a new database and return the result. Raises SourceError, OptionError, ImbalanceError."""
    use_fresh_database()
    return play_here(recordings, options, progress)


def play_here(
    recordings: Sequence[Recording], options: Options, progress: Progress | None = None
) -> Result:
    """Replay on the current database, which must hold no account named `replay`, and check that it balances."""
    check_days(recordings, load_calendar())
    try:
        replay = Replay(recordings, options)
    except ConfigError as problem:
        raise setting_problem(options.settings, problem) from problem
    replay.run(progress)
    return result_of(replay, check_balance(replay))
