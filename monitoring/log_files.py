"""What each process that runs all day writes down: one JSON object a line, in a file of its own under `logs`.

The console window keeps its plain lines. Logging never decides anything: a file that cannot be written is told once,
and whoever logs goes on.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, MutableMapping, Sequence
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from monitoring.processes import AlreadyRunning, only_instance
from monitoring.redaction import HIDDEN, is_secret_name, redacted

FOLDER, ENDING = "logs", ".jsonl"
#: A file is begun anew at this size, and when it is a day old; so many old ones are kept.
BYTES, SECONDS, FILES = 5 << 20, 86_400.0, 14
#: Seconds after a file could not be begun anew, on Windows because somebody has it open, until it is tried again.
TRY_AGAIN = 60.0
#: So large a file may grow while it cannot be begun anew; then lines are left out.
MOST_BYTES = 4 * BYTES
#: The same line within so many seconds is counted instead of written; so many different ones are remembered.
SAME_WITHIN, REMEMBERED = 60.0, 64
#: Characters of one text in a line.
LONGEST = 8_000
#: Whose information is worth a line; of everybody else's, what they warn of.
OURS = ("trading", "grid", "monitoring", "miniqmt")
_COMMANDS = ("market_data", "paper_terminal")
_held = contextlib.ExitStack()


def process_name(argv: Sequence[str]) -> str:
    """Return what a process is called among its logs, empty for one that does not run all day."""
    program, words = Path(argv[0] if argv else ""), list(argv[1:])
    kinds = {program.stem, program.parent.name}
    if "celery" in kinds:
        return next((word for word in words if word in ("worker", "beat")), "")
    if "uvicorn" in kinds or kinds == {"web", "miniqmt"} or words[:1] == ["runserver"]:
        return "web"
    if words[:1] == ["gateway"] and len(words) > 1:
        return "gateway-" + re.sub(r"[^\w.-]", "_", words[1])
    return words[0] if words[:1] and words[0] in _COMMANDS else ""


def configuration(
    home: Path, argv: Sequence[str], level: str, secrets: Collection[str]
) -> dict[str, Any]:
    """Return what Django gives to `logging`: plain lines for the console from `level` on, and the file of this process."""
    console = {
        "()": "monitoring.processes.LogLines",
        "formatter": "line",
        "stream": sys.stderr,
        "level": level,
    }
    config: dict[str, Any] = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
        "handlers": {"stderr": console},
        "root": {"handlers": ["stderr"], "level": level},
    }
    name = process_name(argv)
    if not name:
        return config
    config["handlers"]["file"] = {
        "()": "monitoring.log_files.opened",
        "home": home,
        "name": name,
        "secrets": frozenset(secrets),
    }
    config["root"] = {"handlers": ["stderr", "file"], "level": _lower(level, "WARNING")}
    config["loggers"] = {one: {"level": _lower(level, "INFO")} for one in OURS}
    # It has handlers of its own, which the console keeps.
    config["loggers"]["uvicorn.error"] = {"handlers": ["file"]}
    return config


def show_from(level: int) -> None:
    """Show more in the console, as `celery worker -l info` asks; nothing less than LOG_LEVEL says."""
    root = logging.getLogger()
    for handler in root.handlers:
        if not isinstance(handler, JsonLines):
            handler.setLevel(min(handler.level, level))
    root.setLevel(min(root.level, level))


def opened(home: Path, name: str, secrets: Collection[str]) -> JsonLines:
    """Return the handler of this process; a second process of the same name gets a file of its own."""
    folder = home / FOLDER
    with contextlib.suppress(OSError):  # told at the first line
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in range(1, 9):
        own = name if number == 1 else f"{name}-{number}"
        try:
            _held.enter_context(only_instance(folder / f".{own}.lock"))
        except AlreadyRunning:
            continue
        except OSError:
            break  # nothing can be written there
        return JsonLines(folder / f"{own}{ENDING}", own, secrets)
    return JsonLines(folder / f"{name}-{os.getpid()}{ENDING}", name, secrets)


def _lower(one: str, other: str) -> str:
    levels = logging.getLevelNamesMapping()
    return min(one, other, key=lambda level: levels.get(level, logging.WARNING))


class Repeats:
    """Counts lines that come again within a minute, instead of writing them."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[object, ...], tuple[logging.LogRecord, int]] = OrderedDict()

    def lines(self, record: logging.LogRecord) -> Iterator[logging.LogRecord]:
        """Yield what is to be written now: what was repeated and is over, and this record unless it repeats one."""
        error = record.exc_info[0] if record.exc_info else None
        key = (record.name, record.levelno, record.getMessage(), error)
        yield from self.over(record.created - SAME_WITHIN)
        if key in self._seen:
            first, count = self._seen[key]
            self._seen[key] = first, count + 1
            return
        self._seen[key] = _without_traceback(record), 0
        yield record
        while len(self._seen) > REMEMBERED:
            yield from _counted(*self._seen.popitem(last=False)[1])

    def over(self, until: float) -> Iterator[logging.LogRecord]:
        """Yield how often lines came again that were first written before `until`, a time of the clock."""
        while self._seen:
            key, (first, count) = next(iter(self._seen.items()))
            if first.created > until:
                return
            del self._seen[key]
            yield from _counted(first, count)


def _without_traceback(record: logging.LogRecord) -> logging.LogRecord:
    """A traceback would keep everything alive that its functions had at hand."""
    bare = {"exc_info": None, "exc_text": None, "args": None, "msg": record.getMessage()}
    return logging.makeLogRecord({**record.__dict__, **bare})


def _counted(first: logging.LogRecord, count: int) -> Iterator[logging.LogRecord]:
    if count:
        text = f"repeated {count} times: {first.getMessage()}"
        yield logging.makeLogRecord({**first.__dict__, "msg": text, "repeated": count})


class JsonLines(RotatingFileHandler):
    """One JSON object a line, begun anew by size and age. Nothing that goes wrong here reaches whoever logs."""

    def __init__(
        self,
        path: Path,
        process: str,
        secrets: Collection[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(
            path, maxBytes=BYTES, backupCount=FILES, encoding="utf-8", delay=True, errors="replace"
        )
        self._clock, self._repeats = clock, Repeats()
        self._is_failing, self._try_at = False, 0.0
        self._began: float | None = None
        self.setFormatter(_formatter(process, secrets))

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, unless it is a repetition."""
        try:
            for line in self._repeats.lines(record):
                super().emit(line)
        except Exception:  # noqa: BLE001 - a line whose arguments do not fit: its writer goes on
            self.handleError(record)

    def shouldRollover(self, record: logging.LogRecord) -> bool:
        """Whether the file is too large or too old, and not tried in vain a moment ago."""
        path = Path(self.baseFilename)
        if self.stream is None:
            self.stream = self._open()
        size, now = self.stream.tell() or path.stat().st_size, self._clock()
        if now < self._try_at:
            if size > MOST_BYTES:
                raise OSError(f"{path} cannot be begun anew and has grown to {size} bytes")
            return False
        return size > 0 and (size >= self.maxBytes or now - self._begin >= SECONDS)

    def doRollover(self) -> None:
        """Begin the file anew; where that fails it goes on as it is."""
        try:
            super().doRollover()
        except OSError:
            self._try_at = self._clock() + TRY_AGAIN
        else:
            self._note_begin()

    def close(self) -> None:
        """Write what is still to be said, and end."""
        with contextlib.suppress(Exception):
            for line in self._repeats.over(float("inf")):
                super().emit(line)
        super().close()

    def flush(self) -> None:
        """Hand the lines to the system, and remember that it takes them."""
        if self.stream is not None:
            super().flush()
            self._is_failing = False

    def handleError(self, record: logging.LogRecord) -> None:
        """Say once that lines are lost; the file is opened again for the next one."""
        stream, self.stream = self.stream, None  # as `delay` leaves it
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.close()
        if self._is_failing:
            return
        self._is_failing = True
        problem = sys.exception()
        with contextlib.suppress(Exception):
            sys.stderr.write(
                f"ERROR logs: {self.baseFilename} cannot be written ({problem!r}); trading goes on."
                f" 日志无法写入 {self.baseFilename}，交易继续。\n"
            )
            sys.stderr.flush()

    def _open(self) -> Any:
        is_new = not Path(self.baseFilename).exists()
        stream = super()._open()
        if is_new:
            self._note_begin()
        return stream

    def _note_begin(self) -> None:
        """Beside the file: where a file's birth is not kept, its own times only say when its last line was written."""
        self._began = self._clock()
        with contextlib.suppress(OSError):
            self._beside.write_text(str(self._began), encoding="utf-8")

    @property
    def _begin(self) -> float:
        if self._began is None:
            try:
                self._began = float(self._beside.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                self._note_begin()
        return self._clock() if self._began is None else self._began

    @property
    def _beside(self) -> Path:
        return Path(f"{self.baseFilename}.begun")


def _formatter(process: str, secrets: Collection[str]) -> logging.Formatter:
    # Late: only a process that has a file needs it.
    import structlog
    from structlog.contextvars import merge_contextvars
    from structlog.stdlib import ExtraAdder, ProcessorFormatter, add_log_level, add_logger_name

    def named(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        for name in ("message", "asctime"):  # what the console's formatter has left on the record
            event.pop(name, None)
        return {"at": event.pop("at"), "level": event.pop("level"), "process": process, **event}

    def clean(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        return {key: _clean(key, value, secrets) for key, value in event.items()}

    return ProcessorFormatter(
        foreign_pre_chain=[merge_contextvars, add_log_level, add_logger_name, ExtraAdder()],
        processors=[
            _timed,
            ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            named,
            clean,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ],
    )


def _timed(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Any:
    """When it happened, which is not when it is written: a count of repetitions comes later."""
    seconds = event["_record"].created
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    event["at"] = f"{whole}.{int(seconds % 1 * 1000):03}Z"
    return event


def _clean(key: str, value: Any, secrets: Collection[str]) -> Any:
    if isinstance(value, str):
        return HIDDEN if is_secret_name(key) else redacted(value[:LONGEST], secrets)
    if isinstance(value, Mapping):
        return {str(name): _clean(str(name), one, secrets) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(key, one, secrets) for one in value]
    return (
        value
        if isinstance(value, (int, float, bool, type(None)))
        else _clean(key, str(value), secrets)
    )
