"""What certificate a PostgreSQL or Redis shows, asked over the network as a client would."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

#: Seconds for the whole question.
WITHIN = 5.0
#: What a client of PostgreSQL says before TLS begins.
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)


class NoTls(Exception):
    """The server does not speak TLS at this port."""


def valid_until(host: str, port: int, ca: str, *, is_postgres: bool) -> datetime:
    """Return when the server's certificate ends. Raises NoTls, ssl.SSLError (it does not fit), OSError (nobody there)."""
    context = ssl.create_default_context(cafile=ca or None)
    with socket.create_connection((host, port), timeout=WITHIN) as line:
        if is_postgres:
            line.sendall(_SSL_REQUEST)
            if line.recv(1) != b"S":
                raise NoTls(f"{host}:{port}")
        with context.wrap_socket(line, server_hostname=host) as safe:
            shown: Mapping[str, Any] = safe.getpeercert() or {}
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)
