"""What a tick's decisions leave behind, written together at its end: one statement for many rows."""

from __future__ import annotations

from datetime import datetime

from trading.domain.types import Denial as DenialValue
from trading.domain.types import DenialCode, SignalKind, SignalState, Symbol, Text
from trading.models import Account, Denial, Event, EventLevel, Signal

#: A wait that ends by itself: nobody needs to be alarmed by it.
_PASSING = frozenset(
    {
        DenialCode.ORDER_RATE,
        DenialCode.SELF_TRADE,
        DenialCode.DUPLICATE,
        DenialCode.SHARES_PROMISED,
    }
)
_MUTABLE = [
    field.name for field in Signal._meta.concrete_fields if field.name not in ("id", "account")
]
_BATCH = 500


class Outcomes:
    """Signals, denials and alarms of one tick. Nothing is in the database before `write`."""

    def __init__(self, account: Account, now: datetime) -> None:
        self._account, self._now = account, now
        self._signals: dict[int, Signal] = {}
        self._denials: list[Denial] = []
        self._over: list[int] = []
        self._events: list[Event] = []

    def keep(self, signal: Signal) -> None:
        """Save this signal, new or changed."""
        self._signals[id(signal)] = signal

    def end(self, signal: Signal, state: SignalState, text: Text) -> None:
        """End this signal, and save it."""
        signal.state, signal.decided_at = state, self._now
        signal.outcome_en, signal.outcome_zh = text
        self.keep(signal)

    def clear(self, *denials: Denial) -> None:
        """These denials are over; one that was not written yet never was."""
        self._denials = [one for one in self._denials if one not in denials]
        self._over += [denial.pk for denial in denials if not denial._state.adding]

    def deny(
        self, signal: Signal | None, symbol: Symbol, kind: SignalKind, denial: DenialValue
    ) -> Denial:
        """Store a denial; that of a protective sale is an alarm, unless it passes by itself."""
        row = Denial(
            account=self._account,
            signal=signal,
            symbol=symbol,
            kind=kind,
            code=denial.code,
            text_en=denial.text.en,
            text_zh=denial.text.zh,
            at=self._now,
        )
        self._denials.append(row)
        if kind.protective and denial.code not in _PASSING:
            text = Text(
                f"{symbol} is not sold: {denial.text.en}", f"{symbol} 未卖出：{denial.text.zh}"
            )
            event = Event(account=self._account, at=self._now, level=EventLevel.ALARM)
            event.code, event.symbol = denial.code, symbol
            event.text_en, event.text_zh = text
            self._events.append(event)
        return row

    def write(self) -> None:
        """Write everything, inside the caller's transaction."""
        signals = list(self._signals.values())
        changed = [signal for signal in signals if not signal._state.adding]
        if changed:
            Signal.objects.bulk_create(
                changed,
                update_conflicts=True,
                unique_fields=["id"],
                update_fields=_MUTABLE,
                batch_size=_BATCH,
            )
        Signal.objects.bulk_create(
            [one for one in signals if one._state.adding], batch_size=_BATCH
        )
        if self._over:
            Denial.objects.filter(pk__in=self._over).update(cleared_at=self._now)
        Denial.objects.bulk_create(self._denials, batch_size=_BATCH)
        Event.objects.bulk_create(self._events, batch_size=_BATCH)
