"""The same seeds over the third channel: the gateway's orders go out through a strategy inside the full client."""

from __future__ import annotations

import random
from datetime import datetime

from tests.full_client.broker import FullClientBroker
from tests.full_client.client import Callback, FullClient, untold
from tests.simulation.database import BROKER_ACCOUNT
from tests.simulation.world import World
from trading.ports import Broker


class FullClientWorld(World):
    """In every other seed the client calls nothing back."""

    @property
    def _calls_back(self) -> bool:
        return random.Random(f"full client:{self.plan.seed}").random() < 0.5

    def _broker(self, session: int) -> Broker:
        open_clients = self._clients = getattr(self, "_clients", [])

        def open_client(callback: Callback, now: datetime) -> FullClient:
            client = FullClient(
                self._address,
                BROKER_ACCOUNT,
                session,
                self.plan.seed,
                now,
                callback,
                calls_back=self._calls_back,
                tail_until=self.trouble,
            )
            open_clients.append(client)
            return client

        return FullClientBroker(open_client, BROKER_ACCOUNT, calls_back=self._calls_back)

    def _twin_steps(self) -> None:
        super()._twin_steps()
        for client in getattr(self, "_clients", ()):
            self._guard("terminal", lambda client=client: client.step(self.now))  # type: ignore[misc]

    def never_shown(self, order_id: int) -> bool:
        return untold(self.plan.seed, order_id)
