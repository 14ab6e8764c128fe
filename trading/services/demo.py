"""The demo account and its invented instruments."""

from __future__ import annotations

from django.db import transaction

from trading.domain.types import AccountMode
from trading.market_data.demo import demo_instruments
from trading.models import Account, Instrument, TradingConfig

NAME, BROKER_ACCOUNT = "demo", "8800000001"


@transaction.atomic
def ensure_demo_account() -> bool:
    """Create the demo account, trading on, where there is no account of any kind. Returns whether it did."""
    if Account.objects.exists():
        return False
    account = Account.objects.create(
        name=NAME, broker_account_id=BROKER_ACCOUNT, mode=AccountMode.DEMO
    )
    # Grids too: whoever starts one in the demo wants to see it trade; none is started for them.
    TradingConfig.objects.create(account=account, auto_trading_enabled=True, grid_enabled=True)
    rows = [
        Instrument(
            symbol=one.symbol,
            name=one.name,
            board=one.board,
            category=one.category,
            settlement=one.settlement,
            special_treatment=one.special_treatment,
            listed_on=one.listed_on,
            delisting_from=one.delisting_from,
            index_board=one.index_board or "",
        )
        for one in demo_instruments().values()
    ]
    Instrument.objects.bulk_create(rows, ignore_conflicts=True)
    return True
