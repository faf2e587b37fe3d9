"""The task of `fetch_pages.yaml`: fetch one web page, with nothing but the standard library.

Run it from the project root:

    runner run jobs/fetch_pages.yaml
    runner run jobs/fetch_pages.yaml -p base_url=http://localhost:8000
"""

import html
import re
from urllib.request import Request, urlopen

USER_AGENT = "declarative-batch-runner-example/1.0"
MOST_BYTES = 10_000_000
"""A page that is longer fails, so that no server can fill the memory."""

_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


def fetch_page(page: str, *, base_url: str, timeout_seconds: float) -> dict[str, object]:
    """Return `page`, `status`, `type`, `bytes` and `title` of the page `base_url`/`page`.

    `title` is `None` where the page has none. Whatever a line of the list says, the request goes to the
    server of `base_url`.

    Raises:
        ValueError: `base_url` is no http(s) address, or the page is longer than `MOST_BYTES`.
        urllib.error.HTTPError: The server answered with an error, such as 404 Not Found.
        OSError: There was no answer at all: no such host, connection refused, too late.
    """
    if not base_url.startswith(("http://", "https://")):  # urllib would open file:// as well
        raise ValueError(f"base_url must begin with http:// or https://, got {base_url!r}")
    address = f"{base_url.rstrip('/')}/{page.lstrip('/')}"
    request = Request(address, headers={"User-Agent": USER_AGENT})
    with urlopen(request, timeout=timeout_seconds) as response:
        body: bytes = response.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        raise ValueError(f"the page has more than {MOST_BYTES:,} bytes")
    text = body.decode(response.headers.get_content_charset("utf-8"), "replace")
    return {
        "page": page,
        "status": response.status,
        "type": response.headers.get_content_type(),
        "bytes": len(body),
        "title": title_of(text),
    }


def title_of(text: str) -> str | None:
    """Return the title of an HTML page as a browser shows it, or `None` if it has none."""
    found = _TITLE.search(text)
    return " ".join(html.unescape(found[1]).split()) if found else None
