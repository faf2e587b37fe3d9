"""The items and the task of `register.yaml`: an entry for each hub in a directory that is behind an API.

Run it from the project root, with `python -m jobs.directory` in another terminal:

    DIRECTORY_TOKEN=open-sesame runner run jobs/register.yaml
"""

import json
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import TypedDict
from urllib.parse import quote, urlsplit

from jobs.hubs import HUBS
from runner import Context

MOST_BYTES = 100_000
"""An answer that is longer fails, so that no server can fill the memory."""


class Airport(TypedDict):
    """An item."""

    iata: str
    lat: float
    lon: float


class Throttled(Exception):
    """The service has no time now. The runner waits at least `retry_after` seconds before it asks again."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("429 Too Many Requests")
        self.retry_after = retry_after


class Unavailable(Exception):
    """The service answered that something is wrong with it (5xx)."""


def hubs() -> Iterator[Airport]:
    """Yield the airports to register."""
    for hub in HUBS:
        yield {"iata": hub.iata, "lat": hub.lat, "lon": hub.lon}


class Registrar:
    """One connection to the service. Every worker has its own, so nothing in here is shared.

    Args:
        url: Of the service, such as `https://directory.example`.
        token: Sent with each request.
        timeout_seconds: For every step of a request: connecting, and each wait for more of the answer.
    """

    def __init__(self, *, url: str, token: str, timeout_seconds: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.hostname is None:
            raise ValueError(f"url must begin with http:// or https:// and name a host, got {url!r}")
        connect = HTTPConnection if parts.scheme == "http" else HTTPSConnection
        self._connection = connect(parts.hostname, parts.port, timeout=timeout_seconds)
        self._path = parts.path.rstrip("/")
        self._token = token

    def __call__(self, airport: Airport, context: Context) -> dict[str, object]:
        """Return `iata` and the number of its `entry`.

        The service may get a request twice: when it was slow to answer, or when the run was killed and goes
        on. It knows the second one by its key, and gives the entry that is already there.

        Raises:
            PermissionError: The token is refused.
            Throttled: The service wants to be asked later.
            Unavailable: The service is broken.
            ValueError: The service refuses this airport, or its answer makes no sense.
            OSError: No answer at all.
        """
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Idempotency-Key": context.idempotency_key,
            "Content-Type": "application/json",
        }
        path = f"{self._path}/airports/{quote(airport['iata'], safe='')}"
        try:
            self._connection.request("PUT", path, json.dumps(airport), headers)
            with self._connection.getresponse() as answer:
                body = answer.read(MOST_BYTES)
                is_whole = answer.isclosed()
        except BaseException:  # a time limit or Ctrl-C in the middle of an answer
            self._connection.close()  # it may be in the middle of an answer; the next request opens it anew
            raise
        if not is_whole:
            self._connection.close()
            raise ValueError(f"the answer has more than {MOST_BYTES:,} bytes")
        check(answer)
        return {"iata": airport["iata"], "entry": json.loads(body)["entry"]}

    def close(self) -> None:
        """Close the connection; the runner calls it when the worker has nothing more to do."""
        self._connection.close()


def check(answer: HTTPResponse) -> None:
    """Raise the error that an answer stands for, if it is not a good one."""
    if answer.status in (401, 403):
        raise PermissionError(f"the token is refused: {answer.status} {answer.reason}")
    if answer.status == 429:
        # A number of seconds; the other form, a date, is left to the backoff of the job.
        asked = answer.headers.get("Retry-After", "")
        raise Throttled(float(asked) if asked.isdecimal() else 0.0)
    if answer.status >= 500:
        raise Unavailable(f"{answer.status} {answer.reason}")
    if not 200 <= answer.status < 300:
        raise ValueError(f"the service refuses it: {answer.status} {answer.reason}")
