"""Ports of this computer: which one is free, who answers there, and a word with the Redis we run. Standard library only."""

from __future__ import annotations

import contextlib
import os
import socket

HOST = "127.0.0.1"
#: How many ports are tried from the wanted one on.
PORTS = 50
#: Seconds an answer may take.
PATIENCE = 1.0


def free_port(first: int = 0) -> int:
    """Return `first` or the next port nobody uses; 0 takes any. Raises OSError when all are taken."""
    for port in range(first, first + PORTS) if first else (0,):
        with contextlib.suppress(OSError), socket.socket() as probe:
            if port and answers(port):
                continue  # some systems would let us share it
            if os.name == "posix":  # a port our last run left a moment ago is free
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return int(probe.getsockname()[1])
    raise OSError(f"no free port from {first} on")


def answers(port: int) -> bool:
    """Whether somebody listens at this port."""
    return reaches(HOST, port)


def reaches(host: str, port: int) -> bool:
    """Whether somebody listens there, on whatever computer."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), PATIENCE):
        return True
    return False


def serves(port: int, path: str = "/") -> bool:
    """Whether a web server gives any answer at this port: who only listens may hang. Raises OSError."""
    with socket.create_connection((HOST, port), PATIENCE) as line:
        line.settimeout(PATIENCE)
        line.sendall(f"HEAD {path} HTTP/1.0\r\nHost: {HOST}:{port}\r\n\r\n".encode())
        return line.recv(5) == b"HTTP/"


def ask_redis(port: int, password: str, *command: str) -> str:
    """Say the password and one command; return the reply to the command as it came, or an empty text. Raises OSError."""
    with socket.create_connection((HOST, port), PATIENCE) as line:
        line.settimeout(PATIENCE)
        with line.makefile("rwb") as stream:
            for words in (("AUTH", password), command):
                stream.write(f"*{len(words)}\r\n".encode())
                stream.writelines(
                    f"${len(word.encode())}\r\n{word}\r\n".encode() for word in words
                )
            stream.flush()
            return (
                b"".join(stream.readline() for _ in range(2)).decode().partition("\n")[2].strip()
            )
