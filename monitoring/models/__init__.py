"""What monitoring remembers."""

from monitoring.models.alerts import (
    Alert,
    AlertChannel,
    AlertCursor,
    AlertDelivery,
    Category,
    Heartbeat,
    Severity,
)
from monitoring.models.api import ApiCall, ApiToken
from monitoring.models.audit import AuditForm, AuditLink
from monitoring.models.curves import EquityPoint, PricePoint
from monitoring.models.logs import LogLine, LogMark
from monitoring.models.machines import Machine
from monitoring.models.people import Act, OperatorSettings
from monitoring.models.records import DayReport, Finding, PremarketCheck
from monitoring.models.shadow import ShadowDay, ShadowOrder

__all__ = [
    "Act",
    "Alert",
    "AlertChannel",
    "AlertCursor",
    "AlertDelivery",
    "ApiCall",
    "ApiToken",
    "AuditForm",
    "AuditLink",
    "Category",
    "DayReport",
    "EquityPoint",
    "Finding",
    "Heartbeat",
    "LogLine",
    "LogMark",
    "Machine",
    "OperatorSettings",
    "PremarketCheck",
    "PricePoint",
    "Severity",
    "ShadowDay",
    "ShadowOrder",
]
