"""Whether the machine's clock can be relied on (rules §6): it leaps neither against a monotonic clock nor off the quotes.

Market time, order timeouts and the age of quotes all come from it; leases, heartbeats and supervision do not.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from trading.domain.types import Text

#: More than this between two looks is a leap; less is what a time server corrects.
LEAP = timedelta(seconds=2)
#: The clock is relied on again after it was steady, and agreed with the quotes, for so long.
STEADY = timedelta(seconds=30)
#: A new quote is seen within three seconds: a clock that agrees within two finds it no older than this.
NEWEST = timedelta(seconds=5)
#: Machines whose clocks are farther apart than this do not agree on how old a quote, a signal or an order is.
APART = timedelta(seconds=1)


def apart(ahead: timedelta) -> Text | None:
    """Return why this machine's clock cannot be relied on beside the database's, of which it is so far ahead."""
    if abs(ahead) <= APART:
        return None
    seconds = ahead / timedelta(seconds=1)
    return Text(
        f"this machine's clock differs from the database's by {seconds:+.1f} s; nothing is sent until they agree within"
        " 1 s: set both by a time server (NTP)",
        f"本机时钟与数据库相差 {seconds:+.1f} 秒；相差不超过 1 秒之前不发送委托：请用时间服务器（NTP）校准两台机器",
    )


class ClockWatch:
    """Looks at the clock again and again; the first look only notes it."""

    def __init__(self) -> None:
        self._offset: datetime | None = None
        self._since: timedelta | None = None  # monotonic: steady since then, None: relied on
        self._leap = timedelta(0)

    def look(
        self, real: datetime, monotonic: timedelta, quote_age: Callable[[], timedelta | None]
    ) -> Text | None:
        """Return why the clock cannot be relied on, None when it can.

        `monotonic`: since any fixed moment. `quote_age`: real time by which the clock is ahead of a quote that has just
        come, negative when it is behind; None when none has come. Asked for only while the clock is in doubt.
        """
        offset = real - monotonic
        leap = timedelta(0) if self._offset is None else offset - self._offset
        self._offset = offset
        if abs(leap) > LEAP:
            self._since, self._leap = monotonic, leap
        if self._since is None:
            return None
        age = quote_age()
        if age is not None and not -LEAP <= age <= NEWEST:
            self._since = monotonic
        if monotonic - self._since >= STEADY:
            self._since = None
            return None
        seconds = self._leap // timedelta(seconds=1)
        return Text(
            f"the machine's clock jumped by {seconds:+d} s; nothing is sent until it is steady and agrees with the "
            "quotes for 30 s",
            f"本机时钟跳变 {seconds:+d} 秒；时钟稳定并与行情时间一致 30 秒之前不发送委托",
        )
