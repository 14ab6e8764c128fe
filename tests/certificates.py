"""Certificates of the tests' own, made with the `openssl` of this computer, and a server that speaks TLS for another."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Certificates:
    """A root, and a server's certificate and key that it has signed."""

    root: Path
    certificate: Path
    key: Path


def certificates(folder: Path, host: str = "localhost", days: int = 365) -> Certificates:
    """Make them for a host; the test is skipped where there is no openssl."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    root, root_key = folder / "root.pem", folder / "root.key"
    key, request, made = folder / "server.key", folder / "server.csr", folder / "server.pem"
    names = folder / "names.txt"
    names.write_text(f"subjectAltName=DNS:{host}\n", encoding="utf-8")
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for words in (
        ("req", "-x509", *new_key, "-keyout", root_key, "-out", root, "-subj", "/CN=root of a test", "-days", "365"),
        ("req", *new_key, "-keyout", key, "-out", request, "-subj", f"/CN={host}"),
        ("x509", "-req", "-in", request, "-CA", root, "-CAkey", root_key, "-CAcreateserial",
         "-out", made, "-days", str(days), "-extfile", names),
    ):  # fmt: skip
        subprocess.run([program, *map(str, words)], check=True, capture_output=True, timeout=30)
    return Certificates(root, made, key)


@contextmanager
def speaking_tls(to_port: int, shown: Certificates) -> Iterator[int]:
    """Speak TLS before a server that does not; yields the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown.certificate, shown.key)
    server = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                near, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(near,), daemon=True).start()

    def serve(near: socket.socket) -> None:
        try:
            safe = context.wrap_socket(near, server_side=True)
        except OSError:
            near.close()
            return
        far_end = "127.0.0.1", to_port
        # The server behind may have ended: then nobody is spoken with.
        with safe, suppress(OSError), socket.create_connection(far_end, timeout=5) as far:
            far.settimeout(None)
            back = threading.Thread(target=pump, args=(far, safe), daemon=True)
            back.start()
            pump(safe, far)
            back.join()

    def pump(source: socket.socket, to: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                to.sendall(data)
        for end in (source, to):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        server.close()
