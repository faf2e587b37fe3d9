"""`jobs/register.yaml` against the service that comes with it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs.directory import Directory
from jobs.hubs import HUBS
from jobs.register import MOST_BYTES, Registrar, Throttled, Unavailable
from runner import Context

if TYPE_CHECKING:
    from conftest import Project

TOKEN = "a-token-that-nobody-may-see"
QUICK = ("--set", "rate_limit=200/s", "--set", "pool.size=8")


@pytest.fixture
def directory() -> Iterator[Directory]:
    """Start the service on a free port."""
    with _serving(Directory(0, TOKEN)) as server:
        yield server  # type: ignore[misc]


class _serving:  # noqa: N801  # used like a function
    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.server = server
        self.thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> ThreadingHTTPServer:
        self.thread.start()
        return self.server

    def __exit__(self, *about: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def url_of(server: ThreadingHTTPServer) -> str:
    """Return the address of a server here."""
    return f"http://127.0.0.1:{server.server_port}"


def left_behind(project: Project) -> bytes:
    """Return everything that runs have left, log and state included."""
    files = [*project.root.rglob("out/**/*"), *project.root.rglob(".runner/**/*")]
    return b"".join(path.read_bytes() for path in files if path.is_file())


def test_every_hub_is_registered_once(project: Project, directory: Directory) -> None:
    """Through everything that the service does; the token is nowhere but in the requests."""
    words = ("jobs/register.yaml", "-p", f"url={url_of(directory)}", *QUICK)
    done = project.run(*words, DIRECTORY_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    rows = project.rows("out/register.jsonl")
    assert [row["iata"] for row in rows] == [hub.iata for hub in HUBS]
    assert {row["iata"]: row["entry"] for row in rows} == {
        iata: number for number, iata in enumerate(directory.entries.values(), 1)
    }
    assert directory.requests > len(HUBS)
    assert "retries" in done.stderr
    assert TOKEN not in done.stderr + done.stdout
    assert TOKEN.encode() not in left_behind(project)


def test_a_refused_token_stops_the_run_which_goes_on_with_a_good_one(
    project: Project, directory: Directory
) -> None:
    """One answer is enough: exit code 1, nothing is a dead letter, and the same command does the rest."""
    words = ("jobs/register.yaml", "-p", f"url={url_of(directory)}", *QUICK)
    done = project.run(*words, DIRECTORY_TOKEN="not-the-token")
    assert done.returncode == 1, done.stderr
    assert "a rule of `retry` says to stop at PermissionError" in done.stderr
    assert "not-the-token" not in done.stderr
    assert directory.requests == 0
    assert project.run(*words, DIRECTORY_TOKEN=TOKEN).returncode == 0
    assert len(project.rows("out/register.jsonl")) == len(HUBS)


def test_without_a_token_nothing_is_run(project: Project) -> None:
    """The name of what is missing is said."""
    done = project.run("jobs/register.yaml")
    assert done.returncode == 78
    assert "DIRECTORY_TOKEN" in done.stderr


class Answers(BaseHTTPRequestHandler):
    """Answers as the airport's code says."""

    def do_PUT(self) -> None:
        """Answer a request."""
        what = self.path.rpartition("/")[2]
        body = b"x" * (MOST_BYTES + 1) if what == "LONG" else b'{"entry": 1}'
        self.send_response(200 if what == "LONG" else int(what[:3]))
        if len(what) > 3 and what != "LONG":
            self.send_header("Retry-After", what[3:])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("iata", "error", "match"),
    [
        ("401", PermissionError, "the token is refused: 401"),
        ("403", PermissionError, "the token is refused: 403"),
        ("42912", Throttled, "429"),
        ("429Friday", Throttled, "429"),
        ("503", Unavailable, "503 Service Unavailable"),
        ("422", ValueError, "the service refuses it: 422"),
        ("LONG", ValueError, "more than 100,000 bytes"),
    ],
)
def test_each_answer_is_the_error_that_the_job_names(iata: str, error: type[Exception], match: str) -> None:
    """So that each rule of `retry` gets its own; after any of them the connection serves the next item."""
    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Answers)) as server:
        registrar = Registrar(url=url_of(server), token=TOKEN, timeout_seconds=5)
        for _ in range(2):
            with pytest.raises(error, match=match) as caught:
                registrar({"iata": iata, "lat": 0.0, "lon": 0.0}, Context(0, 1, "run"))
        if isinstance(caught.value, Throttled):
            assert caught.value.retry_after == (12.0 if iata == "42912" else 0.0)
        good = registrar({"iata": "200", "lat": 0.0, "lon": 0.0}, Context(0, 1, "run"))
        assert good == {"iata": "200", "entry": 1}
        registrar.close()


@pytest.mark.parametrize("url", ["ftp://directory.example", "directory.example", "https:///airports", ""])
def test_what_is_no_address_is_refused_before_the_first_item(url: str) -> None:
    """The worker cannot be set up then."""
    with pytest.raises(ValueError, match="url must begin with http"):
        Registrar(url=url, token=TOKEN, timeout_seconds=5)


def test_the_service_can_be_started_by_hand(tmp_path: Path) -> None:
    """`python -m jobs.directory` says its address, and wants a token."""
    process = subprocess.Popen(
        [sys.executable, "-m", "jobs.directory", "0"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONDONTWRITEBYTECODE": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        port = int(said.partition("127.0.0.1:")[2].partition(",")[0])
        connection = HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("PUT", "/airports/KEF", "{}", {"Authorization": "Bearer open-sesame"})
        assert connection.getresponse().read() == b'{"entry": 1}'
        connection.close()
    finally:
        process.kill()
        process.communicate()
