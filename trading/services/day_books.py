"""The books of a session: compared with the terminal after 15:35 by the gateway, signed off by a match or by a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from django.db import transaction

from trading.domain.books import BookDifference, BookedFill, OurBooks, cash_of, compare_books
from trading.domain.calendar import books_closed
from trading.domain.orders import OrderState
from trading.domain.reports import Snapshot
from trading.domain.types import CHINA, ZERO, Side, Symbol, Text
from trading.models import (
    BooksState,
    CorporateAction,
    DayBooks,
    EventLevel,
    Fill,
    Order,
    TradingDay,
)
from trading.selectors import WORKING_STATES, open_positions
from trading.services.corrections import CorrectionError, needs_reason
from trading.services.events import journal

#: A fill on its way explains itself within this time; a difference that lasts longer is an alarm.
SECOND_LOOK = timedelta(seconds=10)
_CENT = Decimal("0.01")


class Bookkeeper:
    """Of one account, for its gateway: looks at each clean snapshot, and asks the database only when it must."""

    def __init__(self, account_id: int) -> None:
        self._account_id = account_id
        self._begun = False
        self._done_on: date | None = None

    def look(self, snapshot: Snapshot, now: datetime) -> None:
        """After a clean snapshot whose fills are booked."""
        if not self._begun:
            self._begin(snapshot)
            self._begun = True
        today = now.astimezone(CHINA).date()
        if (
            not books_closed(now)
            or self._done_on == today
            or not _is_of_the_close(snapshot, today)
        ):
            return
        if not TradingDay.objects.filter(pk=today, is_session=True).exists() or (
            not self._still_working(today) and self._close(snapshot, today, now)
        ):
            self._done_on = today

    def _begin(self, snapshot: Snapshot) -> None:
        """The account's very first books begin with what the terminal shows, less what today's fills did."""
        books = DayBooks.objects.filter(account_id=self._account_id)
        if books.exists():
            return
        today = snapshot.taken_at.astimezone(CHINA).date()
        done = sum((fill.cash for fill in self._fills(today)), ZERO)
        DayBooks.objects.create(
            account_id=self._account_id, on=today, opening_cash=cash_of(snapshot) - done
        )

    def _still_working(self, today: date) -> bool:
        """The day's end has yet to end them; an unknown order would never let the books close."""
        orders = Order.objects.filter(account_id=self._account_id, state__in=WORKING_STATES)
        return orders.filter(trade_date=today).exclude(state=OrderState.UNKNOWN).exists()

    def _close(self, snapshot: Snapshot, today: date, now: datetime) -> bool:
        """Compare and write the row; True when it needs no further look."""
        row, _ = DayBooks.objects.get_or_create(account_id=self._account_id, on=today)
        if row.state in (BooksState.MATCHED, BooksState.EXPLAINED):
            return True
        ours = self._ours(today)
        differences = compare_books(ours, snapshot)
        todays = [fill for fill in ours.fills if fill.on == today]
        row.expected_cash, row.closing_cash = ours.expected_cash, cash_of(snapshot)
        row.fills, row.fees = len(todays), sum((fill.fees for fill in todays), ZERO)
        row.holdings = {str(symbol): count for symbol, count in sorted(ours.holdings.items())}
        row.differences = [_json(one) for one in differences]
        row.checked_at = now
        if not differences:
            row.state, row.signed_at, row.signed_by = BooksState.MATCHED, now, "system"
        else:
            row.state = BooksState.DIFFERS
            row.first_differed_at = row.first_differed_at or now
            self._tell(row, differences, now)
        row.save()
        return not differences

    def _tell(self, row: DayBooks, differences: Sequence[BookDifference], now: datetime) -> None:
        assert row.first_differed_at is not None
        if row.alarmed or now - row.first_differed_at < SECOND_LOOK:
            return
        row.alarmed = True
        en = " ".join(one.text.en for one in differences[:5])
        zh = "".join(one.text.zh for one in differences[:5])
        text = Text(
            f"The books of {row.on} differ from the terminal; tomorrow nothing is bought until a person explains it. "
            f"{en}",
            f"{row.on} 的账目与客户端不符；在人工说明之前，次日不买入、网格不交易。{zh}",
        )
        journal(self._account_id, EventLevel.ALARM, "BOOKS_DIFFER", text, now)

    def _ours(self, today: date) -> OurBooks:
        opening, since, held = self._base(today)
        unknown = Order.objects.filter(
            account_id=self._account_id, trade_date=today, state=OrderState.UNKNOWN
        ).values_list("client_order_id", flat=True)
        return OurBooks(
            on=today,
            opening_cash=opening,
            fills=self._fills(since),
            holdings={
                Symbol(row.symbol): row.quantity for row in open_positions(self._account_id)
            },
            dividends=_dividends(held, since, today),
            unknown_orders=tuple(unknown),
        )

    def _base(self, today: date) -> tuple[Decimal | None, date, dict[str, int]]:
        """Return the cash the last books ended with, the first day after them, and what was held then.

        Books that were opened later, at the first look or with a copy (`services/shadow.py`), begin anew.
        """
        books = DayBooks.objects.filter(account_id=self._account_id, on__lte=today)
        last = books.filter(on__lt=today, closing_cash__isnull=False).order_by("-on").first()
        opened = books.filter(opening_cash__isnull=False).order_by("-on").first()
        if opened is not None and (last is None or opened.on > last.on):
            return opened.opening_cash, opened.on, {}
        if last is not None:
            return last.closing_cash, last.on + timedelta(days=1), last.holdings
        return None, today, {}

    def _fills(self, since: date) -> tuple[BookedFill, ...]:
        rows = Fill.objects.filter(account_id=self._account_id, trade_date__gte=since)
        return tuple(
            BookedFill(
                row.traded_id,
                row.broker_order_id,
                Symbol(row.symbol),
                Side(row.side),
                row.quantity,
                row.price,
                row.commission + row.stamp_duty + row.transfer_fee,
                row.trade_date,
            )
            for row in rows.order_by("pk")
        )


def explain(books_id: int, why: str, now: datetime, actor: str) -> bool:
    """Sign off books that differ, in a person's name; buying goes on. Raises CorrectionError."""
    needs_reason(why)
    with transaction.atomic():
        row = DayBooks.objects.select_related("account").get(pk=books_id)
        rows = DayBooks.objects.filter(pk=books_id, state=BooksState.DIFFERS)
        if not rows.update(
            state=BooksState.EXPLAINED, signed_at=now, signed_by=actor, reason=why[:200]
        ):
            raise CorrectionError(
                Text(
                    f"The books of {row.on} need no explanation: {row.state}.",
                    f"{row.on} 的账目无需说明：{row.state}。",
                )
            )
        text = Text(
            f"The difference in the books of {row.on} is explained: {why}",
            f"{row.on} 的账目差异已说明：{why}",
        )
        journal(
            row.account_id,
            EventLevel.WARNING,
            "BOOKS_EXPLAINED",
            text,
            now,
            actor=actor,
            differences=row.differences,
        )
    return True


def _is_of_the_close(snapshot: Snapshot, today: date) -> bool:
    taken = snapshot.as_of.astimezone(CHINA)
    return taken.date() == today and books_closed(taken)


def _dividends(held: dict[str, int], since: date, today: date) -> Decimal:
    """Yuan the holdings of the last books were paid since, by the known corporate actions."""
    if not held:
        return ZERO
    actions = CorporateAction.objects.filter(symbol__in=held, on__gte=since, on__lte=today)
    return sum(
        (
            (action.cash_per_share * held[action.symbol]).quantize(_CENT, ROUND_HALF_UP)
            for action in actions
        ),
        ZERO,
    )


def _json(one: BookDifference) -> dict[str, str]:
    return {
        "item": one.item.value,
        "about": one.about,
        "ours": one.ours,
        "theirs": one.theirs,
        "en": one.text.en,
        "zh": one.text.zh,
    }
