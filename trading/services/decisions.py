"""From wishes to orders: signals are refreshed, checked again, asked of risk, and become orders or denials.

Used inside the strategy tick's transaction. A denial is stored once per change of (symbol, kind, code).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from trading.domain import positions, risk
from trading.domain.instruments import lot_rule
from trading.domain.orders import OrderState, WorkingRef
from trading.domain.signals import Deny, Expire, Go, SignalFacts, Supersede, Wait, recheck
from trading.domain.types import Denial as DenialValue
from trading.domain.types import DenialCode, Quote, Side, SignalKind, SignalState, Symbol, Text
from trading.models import Position, Signal
from trading.selectors import position_value_of
from trading.services.orders import (
    Approval,
    approve,
    claimed_by_exits,
    request_cancel,
    working_ref,
)
from trading.services.outcomes import Outcomes
from trading.services.pricing import Priced, price_intent
from trading.services.risk_facts import gather_facts
from trading.services.view import TickView
from trading.strategy import Hindrance, Wish

Key = tuple[Symbol, SignalKind]

_CONFIG_INVALID = DenialValue(
    DenialCode.CONFIG_INVALID,
    Text(
        "the configuration is invalid; only stop-losses act, under the last valid one",
        "配置无效：只有止损按上一有效配置执行",
    ),
)


#: What the strategy tick decides; the grid and the strategy plug-ins have ticks of their own.
OWN_KINDS = frozenset(SignalKind) - {SignalKind.GRID, SignalKind.STRATEGY}
_STANDS = (SignalState.PENDING, SignalState.ACCEPTED)
_OF_STRATEGIES = (SignalKind.ADD_ON, SignalKind.STRATEGY)
_OF_A_HOLDING = [kind for kind in SignalKind if kind.protective or kind in _OF_STRATEGIES]
_BEING_CONFIRMED = DenialValue(
    DenialCode.SHARES_PROMISED,
    Text(
        "a cancelled order's shares are free once a query confirms it",
        "已撤委托的股份待查询确认后可用",
    ),
)


@dataclass
class _Candidate:
    """A signal row, saved (pending) or not yet, on its way through the checks."""

    signal: Signal
    life: int | None
    refreshed: bool

    @property
    def key(self) -> Key:
        return Symbol(self.signal.symbol), SignalKind(self.signal.kind)

    @property
    def kind(self) -> SignalKind:
        return SignalKind(self.signal.kind)


class Decisions:
    """One tick's decisions for one account, about signals of some kinds: each kind belongs to one tick.

    `stands`: whether whoever wished a signal still wants it (rules §2: a grid signal needs its session).
    """

    def __init__(
        self,
        view: TickView,
        kinds: Collection[SignalKind] = OWN_KINDS,
        stands: Callable[[Signal], bool] = lambda signal: True,
    ) -> None:
        self._view, self._kinds, self._stands = view, kinds, stands
        #: What became of each signal that was looked at.
        self.decided: dict[Key, Signal] = {}
        self._current = {
            (Symbol(d.symbol), SignalKind(d.kind)): d
            for d in view.denials
            if SignalKind(d.kind) in kinds
        }
        self._spoken: set[Key] = set()  # denials that still stand in this tick
        self._working: list[WorkingRef] = [
            working_ref(o) for o in view.orders if working_ref(o).state.working
        ]
        self._approved = 0
        self._out = Outcomes(view.account, view.now)

    def run(self, wishes: Sequence[Wish], hindrances: Sequence[Hindrance]) -> int:
        """Decide every pending signal and wish; returns the number of orders approved."""
        by_symbol: dict[Symbol, list[_Candidate]] = defaultdict(list)
        for candidate in self._candidates(wishes):
            by_symbol[candidate.key[0]].append(candidate)
        for hindrance in hindrances:
            self._tell(
                None, hindrance.symbol, hindrance.kind, DenialValue(hindrance.code, hindrance.text)
            )
        ranked = sorted(
            by_symbol.values(),
            key=lambda group: -max(candidate.kind.priority for candidate in group),
        )
        for group in ranked:
            group.sort(key=lambda candidate: -candidate.kind.priority)
            selling = self._sold_elsewhere(group[0].key[0])
            for candidate in group:
                self.decided[candidate.key] = candidate.signal
                if self._paused(candidate):
                    self._spoken.add(candidate.key)
                    continue
                if selling and candidate.signal.side == Side.SELL:
                    continue  # a higher sell of this symbol goes first; this one stays as it is
                self._decide(candidate)
                # One that was denied holds nothing back: a person may sell what AUTO_OFF keeps the stop-loss from.
                selling |= candidate.signal.side == Side.SELL and candidate.signal.state in _STANDS
        self._clear_denials()
        self._out.write()
        return self._approved

    def _paused(self, candidate: _Candidate) -> bool:
        """A holding paused by a person or ex-rights keeps its automatic signals waiting, until they expire."""
        row = self._view.rows.get(candidate.key[0])
        return row is not None and self._view.paused(row) and candidate.kind in _OF_A_HOLDING

    def _sold_elsewhere(self, symbol: Symbol) -> bool:
        """Whether a pending sell of another tick, of a higher kind, waits for this symbol's shares."""
        lowest = min(kind.priority for kind in self._kinds)
        return any(
            signal.symbol == symbol
            and signal.side == Side.SELL
            and SignalKind(signal.kind) not in self._kinds
            and SignalKind(signal.kind).priority > lowest
            for signal in self._view.pending
        )

    # -- signals

    def _candidates(self, wishes: Sequence[Wish]) -> list[_Candidate]:
        rows = {
            (Symbol(s.symbol), SignalKind(s.kind)): s
            for s in self._view.pending
            if SignalKind(s.kind) in self._kinds
        }
        found: dict[Key, _Candidate] = {}
        for wish in wishes:
            signal = rows.pop((wish.symbol, wish.kind), None) or Signal(
                account=self._view.account,
                symbol=wish.symbol,
                kind=wish.kind,
                state=SignalState.PENDING,
                created_at=self._view.now,
            )
            self._refresh(signal, wish)
            found[wish.symbol, wish.kind] = _Candidate(signal, wish.life, refreshed=True)
        for key, signal in rows.items():
            row = self._view.rows.get(key[0])
            life = row.life if row is not None and row.pk == signal.position_id else -1
            found[key] = _Candidate(signal, life if signal.position_id else None, refreshed=False)
        return list(found.values())

    def _refresh(self, signal: Signal, wish: Wish) -> None:
        """Its condition holds now: the age counts from here, and the reason tells of here."""
        signal.side = wish.side
        signal.quantity = wish.quantity
        signal.trigger_price = wish.trigger_price
        signal.last = wish.last
        signal.quote_time = wish.quote_time
        signal.held_at = self._view.now
        signal.position_id = wish.position_id
        signal.reason_en, signal.reason_zh = wish.reason
        signal.source, signal.detail, signal.highest = wish.source, wish.detail, wish.highest
        signal.config_revision = self._view.settings.revision

    def _decide(self, candidate: _Candidate) -> None:
        signal, view = candidate.signal, self._view
        symbol, kind = candidate.key
        if not view.settings.valid and kind is not SignalKind.STOP_LOSS:
            self._deny(candidate, _CONFIG_INVALID)
            return
        quote = view.latest(symbol)
        row = view.rows.get(symbol)
        verdict = recheck(
            _facts(candidate),
            position_value_of(row) if row is not None else None,
            view.rules_of(row),
            view.settings.signals,
            quote,
            view.fresh(symbol),
            self._free_for(candidate) if signal.side == Side.SELL else 0,
            view.now,
            lot_rule(view.instrument(symbol), view.on),
            promised=self._promised(symbol) + self._claimed(symbol, kind),
            session_active=self._stands(signal),
            may_trade=view.may_trade(symbol),
        )
        match verdict:
            case Go(quantity):
                if self._being_confirmed(candidate):
                    self._wait(candidate, _BEING_CONFIRMED)
                else:
                    self._to_risk(candidate, quantity, quote)
            case Wait(denial):
                self._cancel_lower(candidate)
                self._wait(candidate, denial)
            case Deny(denial):
                self._deny(candidate, denial)
            case Expire(text):
                self._end(signal, SignalState.EXPIRED, text)
            case Supersede(text, disarm):
                self._end(signal, SignalState.SUPERSEDED, text)
                if disarm and row is not None:
                    Position.objects.filter(pk=row.pk).update(armed=False, armed_high=0)

    def _to_risk(self, candidate: _Candidate, quantity: int, quote: Quote | None) -> None:
        assert quote is not None  # `recheck` waits without one
        view, symbol = self._view, candidate.key[0]
        priced = price_intent(
            kind=candidate.kind,
            side=Side(candidate.signal.side),
            quantity=quantity,
            quote=quote,
            instrument=view.instrument(symbol),
            on=view.on,
            session=view.session(symbol),
            mode=view.settings.orders.price_mode,
            trigger=candidate.signal.trigger_price,
            highest=candidate.signal.highest,
        )
        if isinstance(priced, DenialValue):
            self._refuse(candidate, priced)
            return
        facts = gather_facts(view, priced, self._working, self.sellable(symbol, candidate.kind))
        denial = risk.check(priced.intent, facts, view.settings.risk)
        if denial is not None:
            self._cancel_lower(candidate)
            self._refuse(candidate, denial)
            return
        self._approve(candidate, priced)

    def _approve(self, candidate: _Candidate, priced: Priced) -> None:
        signal, view = candidate.signal, self._view
        signal.state, signal.decided_at = SignalState.ACCEPTED, view.now
        signal.save()
        row = view.rows.get(candidate.key[0])
        order = approve(
            Approval(view.account, view.settings.revision, priced, view.now, view.on),
            signal=signal,
            position=row,
            chain_quantity=priced.intent.quantity,
        )
        self._working.append(working_ref(order))
        view.count_again()
        self._approved += 1

    # -- outcomes that are no order

    def _refuse(self, candidate: _Candidate, denial: DenialValue) -> None:
        if denial.code.blocks:
            self._wait(candidate, denial)
        else:
            self._deny(candidate, denial)

    def _wait(self, candidate: _Candidate, denial: DenialValue) -> None:
        if candidate.refreshed:
            self._out.keep(candidate.signal)
        self._tell(candidate.signal, *candidate.key, denial)

    def _deny(self, candidate: _Candidate, denial: DenialValue) -> None:
        signal, stands = candidate.signal, self._current.get(candidate.key)
        signal.denial_code = denial.code
        if signal._state.adding and stands is not None and stands.code == denial.code:
            self._spoken.add(candidate.key)  # said already; nothing is stored again
            signal.state, (signal.outcome_en, signal.outcome_zh) = SignalState.DENIED, denial.text
            return
        self._out.end(signal, SignalState.DENIED, denial.text)
        self._tell(signal, *candidate.key, denial)

    def _end(self, signal: Signal, state: SignalState, text: Text) -> None:
        """End a signal; one that was never stored is forgotten."""
        if signal._state.adding:
            signal.state = state
        else:
            self._out.end(signal, state, text)

    def _tell(
        self, signal: Signal | None, symbol: Symbol, kind: SignalKind, denial: DenialValue
    ) -> None:
        """Store the denial when its code changed for this symbol and kind."""
        self._spoken.add((symbol, kind))
        stands = self._current.get((symbol, kind))
        if stands is not None and stands.code == denial.code:
            return
        if stands is not None:
            self._out.clear(stands)
        self._current[symbol, kind] = self._out.deny(signal, symbol, kind, denial)

    def _clear_denials(self) -> None:
        """A denial that did not come up although its symbol was looked at is over."""
        over = [
            denial
            for key, denial in self._current.items()
            if key not in self._spoken
            and (key[0] not in self._view.rows or self._view.fresh(key[0]))
        ]
        self._out.clear(*over)

    # -- what the checks ask

    def _promised(self, symbol: Symbol) -> int:
        return sum(
            w.open_quantity for w in self._working if w.symbol == symbol and w.side is Side.SELL
        )

    def _free_for(self, candidate: _Candidate) -> int:
        free = self.sellable(*candidate.key)
        return self._view.for_exits(candidate.key[0], free) if candidate.kind.protective else free

    def sellable(self, symbol: Symbol, kind: SignalKind | None = None) -> int:
        """Return the shares a sell of this kind may have now, after what working orders promise (R8).

        An exit of a higher kind keeps its claim on what it will order again. An odd rest can be sold only with
        everything that the counter calls sellable: where that is less than our books say, its shares of an order that
        has just ended are not free yet, and beside a claim, or a sale whose outcome is unknown, those count there. Then
        only whole lots.
        """
        row = self._view.rows.get(symbol)
        if row is None:
            return 0
        locked, promised = self._view.locked(symbol), self._promised(symbol)
        free = positions.sellable(row.quantity, locked, True, row.broker_sellable, promised)
        free = max(0, free - (0 if kind is None else self._claimed(symbol, kind)))
        is_all = free == row.quantity - locked - promised
        if is_all and (free == row.broker_sellable or not self._unknown_sale(symbol)):
            return free
        return lot_rule(self._view.instrument(symbol), self._view.on).floor_buy(free)

    def _claimed(self, symbol: Symbol, kind: SignalKind) -> int:
        return claimed_by_exits(self._view.orders, symbol, kind)

    def _unknown_sale(self, symbol: Symbol) -> bool:
        return any(
            w.symbol == symbol and w.side is Side.SELL and not w.state.known for w in self._working
        )

    def _being_confirmed(self, candidate: _Candidate) -> bool:
        """Whether a cancelled sale of its symbol still lacks the query that frees its shares (rules §4)."""
        return candidate.signal.side == Side.SELL and any(
            order.symbol == candidate.signal.symbol
            and order.side == Side.SELL
            and order.state in (OrderState.CANCELLED, OrderState.PARTIALLY_CANCELLED)
            and not order.end_confirmed
            for order in self._view.orders
        )

    def _cancel_lower(self, candidate: _Candidate) -> None:
        """A higher sell cancels our lower orders of its symbol, waits for their end, then sells (rules §1)."""
        if candidate.signal.side != Side.SELL:
            return
        for order in self._view.orders:
            ref = working_ref(order)
            lower = ref.kind.priority < candidate.kind.priority
            if (
                ref.symbol == candidate.signal.symbol
                and ref.state.working
                and ref.state.known
                and lower
            ):
                request_cancel(order, "SUPERSEDED", self._view.now)


def _facts(candidate: _Candidate) -> SignalFacts:
    signal = candidate.signal
    return SignalFacts(
        kind=candidate.kind,
        quantity=signal.quantity,
        trigger_price=signal.trigger_price,
        last=signal.last,
        quote_time=signal.quote_time,
        held_at=signal.held_at,
        side=Side(signal.side),
        life=candidate.life,
    )
