"""A session with yaml-language-server, the one that editors use, over its standard input and output.

    python -m tests.editor.language_server        # from the repository; writes docs/editor-session.md

The server comes from npm, a pinned version, into a folder of `.venv`.
"""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from tests.npm import install

REPOSITORY = Path(__file__).resolve().parents[2]
VERSION = "2.0.0"
PATIENCE_SECONDS = 60.0


class Session:
    """A server and the documents that were opened in it; a context manager."""

    def __init__(self) -> None:
        script = install("yaml-language-server", VERSION) / "bin" / "yaml-language-server"
        self._process = subprocess.Popen(
            ["node", str(script), "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._number = self._opened = 0
        self._received: queue.Queue[dict[str, Any]] = queue.Queue()
        self._diagnostics: dict[str, list[dict[str, Any]]] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        capabilities = {
            "textDocument": {
                "completion": {
                    "completionItem": {"snippetSupport": True, "documentationFormat": ["markdown"]}
                },
                "hover": {"contentFormat": ["markdown"]},
                "publishDiagnostics": {},
            },
            "workspace": {"configuration": True},
        }
        root = REPOSITORY.as_uri()
        self.ask("initialize", {"processId": None, "rootUri": root, "capabilities": capabilities})
        self._tell("initialized", {})
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self.ask("shutdown", None)
            self._tell("exit", None)
            self._process.wait(timeout=10)
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join()
            for stream in (self._process.stdin, self._process.stdout):
                assert stream is not None
                stream.close()

    def open(self, text: str) -> str:
        """Show the server a new document; return its address."""
        self._opened += 1
        uri = f"{REPOSITORY.as_uri()}/job-{self._opened}.yaml"
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._tell("textDocument/didOpen", {"textDocument": document})
        return uri

    def complete(self, uri: str, line: int, character: int) -> list[dict[str, Any]]:
        """Return the completions at a place (both from 0)."""
        found = self.ask("textDocument/completion", self._at(uri, line, character))
        items = found["items"] if isinstance(found, dict) else found or []
        return sorted(items, key=lambda item: item.get("sortText") or item["label"])

    def hover(self, uri: str, line: int, character: int) -> str:
        """Return what is shown under the pointer, as markdown."""
        found = self.ask("textDocument/hover", self._at(uri, line, character))
        contents = found["contents"] if found else ""
        return contents["value"] if isinstance(contents, Mapping) else str(contents)

    def diagnostics(self, uri: str) -> list[dict[str, Any]]:
        """Return the faults of a document, when they have been published."""
        while uri not in self._diagnostics:
            self._take(self._received.get(timeout=PATIENCE_SECONDS))
        return self._diagnostics.pop(uri)

    def ask(self, method: str, params: object) -> Any:
        """Send a request and return its result."""
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        while True:
            message = self._received.get(timeout=PATIENCE_SECONDS)
            if message.get("id") == self._number and "method" not in message:
                assert "error" not in message, message
                return message["result"]
            self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        """Keep what was published, and answer what the server wants to know."""
        if message.get("method") == "textDocument/publishDiagnostics":
            self._diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif message.get("method") == "workspace/configuration":
            settings = {"validate": True, "completion": True, "hover": True, "schemaStore": {"enable": False}}
            sections = [item.get("section") for item in message["params"]["items"]]
            answers = [settings if section == "yaml" else {} for section in sections]
            self._send({"id": message["id"], "result": answers})
        elif "id" in message and "method" in message:
            self._send({"id": message["id"], "result": None})

    def _tell(self, method: str, params: object) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._process.stdin.flush()

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while header := stream.readline():
            length = int(header.partition(b":")[2])
            while stream.readline().strip():
                pass
            self._received.put(json.loads(stream.read(length)))

    @staticmethod
    def _at(uri: str, line: int, character: int) -> dict[str, Any]:
        return {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}
