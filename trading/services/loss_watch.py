"""The trip on the day's loss (rules §6): once a day, from the total of a clean snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal

from trading.domain.reports import BrokerAsset, BrokerPosition, Snapshot
from trading.domain.risk import RiskLimits, trips
from trading.domain.types import CHINA, Text
from trading.errors import ConfigError
from trading.models import Account
from trading.services import config

#: The smallest limit that can be set: below it nobody needs to know the settings.
_SMALLEST = Decimal("0.001")
#: Before the first trade of the day (trading rules of the exchanges, continuous auction) a terminal may value the
#: holdings with no prices, or with some.
OPENS = time(9, 30)


def _without_prices(asset: BrokerAsset, positions: Sequence[BrokerPosition] | None) -> bool:
    """Whether the total leaves the holdings out: a terminal that has no prices yet."""
    return asset.market_value <= 0 and any(one.quantity > 0 for one in positions or ())


class LossWatch:
    """Of one account. The previous close is read once a day, the limit once a minute of a losing day."""

    def __init__(self, account_id: int) -> None:
        self._account_id = account_id
        self._on: date | None = None
        self._before: Decimal | None = None
        self._minute: datetime | None = None
        self._limits: RiskLimits | None = None
        self._tripped = False

    def look(self, snapshot: Snapshot, now: datetime) -> Text | None:
        """Return why the account goes to REDUCING now. A person who resumes is not overruled the same day."""
        local = now.astimezone(CHINA)
        asset, today = snapshot.asset, local.date()
        if asset is None or local.time() < OPENS or _without_prices(asset, snapshot.positions):
            return None
        if self._on != today:
            account = Account.objects.get(pk=self._account_id)
            closed = account.previous_total_on == today
            self._before = None if closed else account.previous_total
            self._on, self._tripped = today, False
        if self._tripped or self._before is None or self._before <= 0:
            return None
        loss = (self._before - asset.total) / self._before
        limits = self._limits_at(now) if loss >= _SMALLEST else None
        why = trips(0, loss, 0, limits) if limits is not None else None
        self._tripped = why is not None
        return why

    def _limits_at(self, now: datetime) -> RiskLimits | None:
        minute = now.replace(second=0, microsecond=0)
        if self._minute != minute:
            self._minute = minute
            try:
                self._limits = config.load(self._account_id).risk
            except ConfigError:
                self._limits = RiskLimits()  # an invalid row loosens nothing
        return self._limits
