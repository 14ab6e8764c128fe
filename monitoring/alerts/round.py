"""One round of the alerts: what is new becomes alerts, what nobody takes goes to the file, what is due is sent apart."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path

from monitoring.alerts.collect import collect
from monitoring.alerts.deliver import are_due, file_unsent
from monitoring.alerts.process import start_delivery

log = logging.getLogger(__name__)


def look_after_alerts(now: datetime, home: Path) -> bool:
    """Do what is due at a real time; nothing of it waits for the network. False when somebody else just did."""
    if not collect(now, home):
        return False
    try:
        file_unsent(now, home)
        if are_due(now):
            start_delivery()
    except OSError as problem:  # the alerts are in the database, and on their page
        log.error("alerts: neither file nor sender: %s", problem)
    return True
