"""`jobs/fetch_pages.yaml` against a server on this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from jobs import fetch
from jobs.fetch import fetch_page, title_of

if TYPE_CHECKING:
    from conftest import Project

PAGES = {
    "/one.html": ("text/html; charset=utf-8", b"<title>One &amp; only</title>"),
    "/two.html": ("text/html; charset=latin-1", "<TITLE>\n Caf\xe9\n two </TITLE>".encode("latin-1")),
    "/three.txt": ("text/plain", b"no title here"),
    "/large.html": ("text/html", b"x" * 100),
}


class Handler(BaseHTTPRequestHandler):
    """Answers with a page, or with 404."""

    def do_GET(self) -> None:
        """Answer a request."""
        kind, body = PAGES.get(self.path, ("", b""))
        if not kind:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def base_url() -> Iterator[str]:
    """Start a server on a free port, and give its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_pages_become_rows_in_the_order_of_the_list(project: Project, base_url: str) -> None:
    """Each page has its row; one that is gone is a dead letter with the server's answer."""
    (project.root / "jobs/data/pages.txt").write_text("one.html\ngone.html\ntwo.html\nthree.txt\n")
    done = project.run("jobs/fetch_pages.yaml", "-p", f"base_url={base_url}/")
    assert done.returncode == 0, done.stderr
    assert project.rows("out/fetch_pages.jsonl") == [
        {"page": "one.html", "status": 200, "type": "text/html", "bytes": 29, "title": "One & only"},
        {"page": "two.html", "status": 200, "type": "text/html", "bytes": 27, "title": "Café two"},
        {"page": "three.txt", "status": 200, "type": "text/plain", "bytes": 13, "title": None},
    ]
    (gone,) = project.rows("out/fetch_pages.failed.jsonl")
    assert (gone["index"], gone["where"]["line"], gone["item"]) == (1, 2, "gone.html")
    assert gone["error"] == {
        "stage": "task",
        "type": "urllib.error.HTTPError",
        "message": "HTTP Error 404: Not Found",
    }


def test_a_server_without_the_pages_ends_the_run(project: Project, base_url: str) -> None:
    """More than two failures are too many: exit code 1, and no output appears."""
    done = project.run("jobs/fetch_pages.yaml", "-p", f"base_url={base_url}")
    assert done.returncode == 1, done.stderr
    assert not (project.root / "out/fetch_pages.jsonl").exists()


def test_a_line_of_the_list_cannot_name_another_server(base_url: str) -> None:
    """What looks like an address is a path on the server of `base_url`."""
    with pytest.raises(OSError, match="404") as caught:
        fetch_page("//elsewhere.example/", base_url=base_url, timeout_seconds=5)
    assert getattr(caught.value, "url", None) == f"{base_url}/elsewhere.example/"
    getattr(caught.value, "close")()  # noqa: B009  # it holds the connection


def test_a_page_that_is_too_long_fails(base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than the limit is read."""
    monkeypatch.setattr(fetch, "MOST_BYTES", 99)
    with pytest.raises(ValueError, match="more than 99 bytes"):
        fetch_page("large.html", base_url=base_url, timeout_seconds=5)


def test_only_web_addresses_are_fetched() -> None:
    """`file:` would read this machine's own files."""
    with pytest.raises(ValueError, match="must begin with http"):
        fetch_page("etc/passwd", base_url="file:///", timeout_seconds=5)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("<title lang=en>a\n  b</title>", "a b"),
        ("<title>&lt;b&gt;</title><title>2</title>", "<b>"),
        ("<title>never ended", None),
        ("", None),
    ],
)
def test_title(text: str, title: str | None) -> None:
    """The first title, with white space and entities as a browser shows them."""
    assert title_of(text) == title
