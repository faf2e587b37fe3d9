"""A service to try `register.yaml` with: it wants a token, is often busy, and sometimes breaks.

    python -m jobs.directory [PORT]

serves on http://127.0.0.1:8765 until Ctrl-C. The token is `open-sesame`, or what DIRECTORY_TOKEN says.
"""

import hmac
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

PORT = 8765


class Directory(ThreadingHTTPServer):
    """Entries by idempotency key. Every fifth request is to come back in a second, every seventh breaks."""

    daemon_threads = True

    def __init__(self, port: int, token: str) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.token = token
        self.entries: dict[str, str] = {}
        self.requests = 0
        self._lock = Lock()

    def answer(self, iata: str, token: str, key: str) -> tuple[int, dict[str, object]]:
        """Return status and body of the answer to a request."""
        with self._lock:
            if not hmac.compare_digest(token.encode(), f"Bearer {self.token}".encode()):
                return 401, {"error": "who are you?"}
            self.requests += 1
            if self.requests % 5 == 0:
                return 429, {"error": "one moment"}
            if self.requests % 7 == 0:
                return 503, {"error": "out of order"}
            self.entries.setdefault(key, iata)
            return 200, {"entry": list(self.entries).index(key) + 1}


class Handler(BaseHTTPRequestHandler):
    """Answers `PUT /airports/IATA`."""

    protocol_version = "HTTP/1.1"  # connections are kept for the next request
    disable_nagle_algorithm = True
    server: Directory

    def do_PUT(self) -> None:
        """Answer a request."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        iata = self.path.rpartition("/")[2]
        token, key = (self.headers.get(name, "") for name in ("Authorization", "Idempotency-Key"))
        status, content = self.server.answer(iata, token, key)
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == 429:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing about each request."""


def main() -> None:
    """Serve until Ctrl-C."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else PORT
    with Directory(port, os.environ.get("DIRECTORY_TOKEN", "open-sesame")) as directory:
        sys.stderr.write(
            f"a directory of airports on http://127.0.0.1:{directory.server_port}, Ctrl-C ends it\n"
        )
        sys.stderr.flush()
        try:
            directory.serve_forever()
        except KeyboardInterrupt:
            sys.stderr.write(f"{len(directory.entries)} entries after {directory.requests} requests\n")


if __name__ == "__main__":
    main()
