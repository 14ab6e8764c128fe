"""The same seeds over the third channel: the gateway's orders go out through a strategy inside the full client."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from tests.full_client.broker import LAG, FullClientBroker
from tests.full_client.client import Callback, FullClient, untold
from tests.simulation.database import BROKER_ACCOUNT, Database
from tests.simulation.plan import Plan
from tests.simulation.world import SECOND, STARTS, Program, World
from trading.ports import Broker

#: What was sent in the last second may be withdrawn a lag later, and that is seen after another one.
SEEN_AFTER = 3 * LAG + timedelta(seconds=9)
#: Two readings open the books, two more arm the gateway.
WARM_UP = 2 * LAG + timedelta(seconds=8)


class FullClientWorld(World):
    """In every other seed the client calls nothing back."""

    def __init__(self, plan: Plan, database: Database) -> None:
        self._clients: list[FullClient] = []
        self._calls_back = random.Random(f"full client:{plan.seed}").random() < 0.5
        super().__init__(plan, database)

    def never_shown(self, order_id: int) -> bool:
        return untold(self.plan.seed, order_id)

    def _broker(self, session: int) -> Broker:
        def open_client(callback: Callback, now: datetime) -> FullClient:
            client = FullClient(
                self._address,
                BROKER_ACCOUNT,
                session,
                self.plan.seed,
                now,
                callback,
                calls_back=self._calls_back,
                trouble_until=self.trouble,
            )
            self._clients.append(client)
            return client

        return FullClientBroker(open_client, BROKER_ACCOUNT, calls_back=self._calls_back)

    def _play(self) -> None:
        if not self.plan.late_start:
            self._warm_up()
        super()._play()
        self._see_the_end()

    def _warm_up(self) -> None:
        """A gateway opens the books on answers as old as these later; the seed's troubles are to find it armed."""
        self.now = self._gateway_back = STARTS - WARM_UP
        while self.now < STARTS:
            self._second([self._twin_steps, *self._gateways()])
            self.now += SECOND

    def _see_the_end(self) -> None:
        """What came last shows later: nobody decides any more, and the gateway goes on looking for a while."""
        ended = self.now
        for program in self.programs:
            program.loop = None
        while self.now < ended + SEEN_AFTER:
            self._second([self._twin_steps, *self._gateways()])
            self.now += SECOND
        self.now = ended  # of the decisions, and they are what is asked about

    def _twin_steps(self) -> None:
        super()._twin_steps()
        self._clients_step()

    def _cycle(self, program: Program) -> None:
        self._clients_step()  # they read by themselves, however long the scheduler was away
        super()._cycle(program)

    def _clients_step(self) -> None:
        for client in self._clients:
            self._guard("terminal", lambda client=client: client.step(self.now))  # type: ignore[misc]
