"""Market time: everyone derives it from one row per environment, and from the real time it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from trading.domain.types import CHINA, AccountMode
from trading.models import Account, MarketClock

#: Accounts of these modes live in simulated time; all others in real time.
SIMULATED = (AccountMode.DEMO, AccountMode.PAPER)
DEMO, LIVE = "demo", "live"


@dataclass(frozen=True, slots=True)
class Clock:
    """Market time = base_market + (real − base_real) × speed. Live: bases equal, speed 1."""

    base_real: datetime
    base_market: datetime
    speed: Decimal = Decimal(1)

    def market(self, real: datetime) -> datetime:
        """Return the market time, in China's zone, at a real time."""
        elapsed = (real - self.base_real) * float(self.speed)
        return (self.base_market + elapsed).astimezone(CHINA)

    def real(self, market: datetime) -> datetime | None:
        """Return the real time of a market time; None when it was before this clock was set."""
        if market < self.base_market:
            return None
        return self.base_real + (market - self.base_market) / float(self.speed)


def environment_of(mode: AccountMode) -> str:
    """Return which clock an account of this mode follows."""
    return DEMO if mode in SIMULATED else LIVE


def market_of_history() -> str:
    """Return whose market imported prices are of: the real one's, but where there are only simulated accounts."""
    accounts = Account.objects.all()
    simulated = accounts.exists() and not accounts.exclude(mode__in=SIMULATED).exists()
    return DEMO if simulated else LIVE


def read_clocks() -> Mapping[str, Clock]:
    """Return the clocks there are; an environment without a row runs on real time."""
    return {
        row.environment: Clock(row.base_real, row.base_market, row.speed)
        for row in MarketClock.objects.all()
    }


def market_time(mode: AccountMode, real: datetime) -> datetime:
    """Return the market time of accounts of this mode at a real time."""
    return market_at(read_clocks().get(environment_of(mode)), real)


def market_at(clock: Clock | None, real: datetime) -> datetime:
    """Return the market time, in China's zone, at a real time; without a clock it is real time."""
    return real.astimezone(CHINA) if clock is None else clock.market(real)


def set_clock(
    environment: str, real: datetime, market: datetime, speed: Decimal = Decimal(1)
) -> None:
    """Make market time be `market` at `real`, running at `speed`. Raises ValueError for the live clock."""
    if environment == LIVE:
        raise ValueError("the live clock is the real one")
    MarketClock.objects.update_or_create(
        environment=environment,
        defaults={"base_real": real, "base_market": market, "speed": speed},
    )


def use_real_time(environment: str) -> None:
    """Make market time real time."""
    MarketClock.objects.filter(environment=environment).delete()
