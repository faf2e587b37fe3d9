"""A service on this machine that throttles, breaks, hangs and answers late, and remembers every call."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

Plan = Callable[[int, int], str]
"""From the number of an item and of its call (both from 0) to what happens to that call; see `ANSWERS`."""
ANSWERS = ("ok", "throttled", "broken", "hangs", "late", "reset", "half")


@dataclass(slots=True)
class Call:
    """A request as the service saw it.

    Attributes:
        item: Number of the item.
        attempt: What the client says which attempt it is.
        key: The idempotency key it sent.
        sent: When the client says it began; the clock is the same, for the machine is.
        arrived: When the request had been read.
        answer: What happened to it.
        answered: When the answer was about to be sent; 0 where there is none.
    """

    item: int
    attempt: int
    key: str
    sent: float
    arrived: float
    answer: str
    answered: float = 0.0


class Service(ThreadingHTTPServer):
    """Answers `POST /items/N` as its plan says.

    Args:
        plan: What happens to each call.
        retry_after: Seconds that a throttled client is told to wait.
        late: Seconds after which a late answer is given.

    Attributes:
        connections: How many were made.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, plan: Plan, *, retry_after: float = 0.2, late: float = 1.0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.plan, self.retry_after, self.late = plan, retry_after, late
        self.connections = 0
        self.ended = threading.Event()
        self._calls: list[Call] = []
        self._counts: dict[int, int] = defaultdict(int)
        self._lock = threading.Lock()

    def take(self, item: int, *, attempt: int, key: str, sent: float) -> Call:
        """Note a call, and decide about it."""
        with self._lock:
            arrived = time.monotonic()
            call = Call(item, attempt, key, sent, arrived, self.plan(item, self._counts[item]))
            self._counts[item] += 1
            self._calls.append(call)
        return call

    @property
    def calls(self) -> list[Call]:
        """Every call so far, in the order of arrival."""
        with self._lock:
            return list(self._calls)

    def by_item(self) -> dict[int, list[Call]]:
        """Return the calls of each item, in the order of arrival."""
        found: dict[int, list[Call]] = defaultdict(list)
        for call in self.calls:
            found[call.item].append(call)
        return found

    def keys(self) -> dict[int, str]:
        """Return the idempotency key of each item, which must be the same at all of its calls."""
        found = {}
        for item, calls in self.by_item().items():
            (found[item],) = {call.key for call in calls}
        return found

    def forget(self) -> None:
        """Forget all calls, but not how far the plan of each item has got."""
        with self._lock:
            self._calls.clear()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients leave in every way."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        self.service.connections += 1  # by the one thread of each connection; a count for an upper bound
        super().setup()

    @property
    def service(self) -> Service:
        return cast("Service", self.server)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        call = self.service.take(
            int(self.path.rpartition("/")[2]),
            attempt=int(self.headers["X-Attempt"]),
            key=self.headers["Idempotency-Key"],
            sent=float(self.headers["X-Sent"]),
        )
        if call.answer in ("hangs", "late"):
            self.service.ended.wait(None if call.answer == "hangs" else self.service.late)
        if call.answer == "hangs":
            self.close_connection = True
        elif call.answer == "reset":
            # Closed with unsent data and no time to linger: the client gets RST, not an end of file.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())
            self.close_connection = True
        else:
            self._answer(call)

    def _answer(self, call: Call) -> None:
        status = {"throttled": 429, "broken": 500}.get(call.answer, 200)
        body = b'{"item": %d}' % call.item
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) + (100 if call.answer == "half" else 0)))
        if status == 429:
            self.send_header("Retry-After", str(self.service.retry_after))
        call.answered = time.monotonic()
        self.end_headers()
        self.wfile.write(body)
        if call.answer == "half":
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serving(plan: Plan, **options: Any) -> Iterator[Service]:
    """Serve while the block runs; connections that hang are let go at its end."""
    with Service(plan, **options) as service:
        thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield service
        finally:
            service.ended.set()
            service.shutdown()
            thread.join()
