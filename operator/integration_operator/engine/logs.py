"""Structured logs: one JSON object a line, our own and the libraries' alike, with one id through a reconcile."""

import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import structlog


class _Lines:
    """Writes each line at once. One that can't be written is lost, as with the standard library: work goes on."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def write(self, line: bytes) -> None:
        """A line, without its end."""
        with suppress(OSError, ValueError):
            sys.stdout.buffer.write(line + b"\n")
            sys.stdout.buffer.flush()

    debug = info = warning = error = critical = write


def configure(level: str) -> None:
    """Send everything to standard output as JSON."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    rendered: list[structlog.typing.Processor] = [
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(serializer=_json),
    ]
    # Our own lines don't go through the standard library: that takes several times as long.
    structlog.configure(
        processors=[_wanted, *shared, *rendered],
        logger_factory=_Lines,
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered, _text],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("audit").setLevel("INFO")
    for noisy in ("kopf", "httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # It warns of each TLS connection that a client of NATS ends.
    logging.getLogger("asyncio").setLevel(logging.ERROR)


def _wanted(logger: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """By the levels that are set for the standard library's logger of the same name."""
    return structlog.stdlib.filter_by_level(logging.getLogger(logger.name), method, event)


def _json(event: Any, default: Callable[[Any], Any], **_: Any) -> bytes:
    """Called by structlog as json.dumps; several times as fast."""
    return msgspec.json.encode(event, enc_hook=default)


def _text(_: Any, __: str, line: Any) -> str:
    return str(line.decode())
