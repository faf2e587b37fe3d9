"""The task of `clean_log.yaml`: one line of a web server's access log, as a row for statistics.

Run it from the project root:

    runner run jobs/clean_log.yaml
"""

import re
from datetime import UTC, datetime
from ipaddress import ip_network

# Apache's and nginx's "combined" format: https://httpd.apache.org/docs/2.4/logs.html#combined
_LINE = re.compile(
    r"(?P<client>\S+) \S+ \S+ "
    r"\[(?P<time>[^\]]+)\] "
    r'"(?P<request>[^"]*)" '
    r"(?P<status>\d{3}) (?P<bytes>\d+|-) "
    r'"(?P<referer>[^"]*)" '
    r'"(?P<agent>[^"]*)"'
)
_REQUEST = re.compile(r"(?P<method>[A-Z]+) (?P<path>\S+) HTTP/[\d.]+")
_BOT = re.compile(r"bot|crawl|spider", re.IGNORECASE)


def clean(line: str, *, skip: list[str]) -> dict[str, object] | None:
    """Return the request that `line` tells of, or `None` where it is noise.

    Noise is a path that begins with an entry of `skip`, and what was no HTTP request at all (port
    scanners leave such lines). A row has `time` (UTC), `client` (see `cut_address`), `method`, `path` without
    its query, `status`, `bytes` and `is_bot`.

    Raises:
        ValueError: `line` is not of the combined log format; it may have been cut.
    """
    found = _LINE.fullmatch(line)
    if found is None:
        raise ValueError("not a line of the combined log format")
    request = _REQUEST.fullmatch(found["request"])
    if request is None or request["path"].startswith(tuple(skip)):
        return None
    return {
        "time": datetime.strptime(found["time"], "%d/%b/%Y:%H:%M:%S %z").astimezone(UTC),
        "client": cut_address(found["client"]),
        "method": request["method"],
        "path": request["path"].partition("?")[0],
        "status": int(found["status"]),
        "bytes": 0 if found["bytes"] == "-" else int(found["bytes"]),
        "is_bot": _BOT.search(found["agent"]) is not None,
    }


def cut_address(address: str) -> str:
    """Return the network that an address is in: /24 of IPv4, /48 of IPv6, as `192.0.2.0/24`."""
    prefix = 48 if ":" in address else 24
    return str(ip_network(f"{address}/{prefix}", strict=False))
