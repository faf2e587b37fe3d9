"""A secret is planted in all that a task can say, and all that a run leaves behind is searched for it."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest

VALUE = "h\u00fcnter2/\"x\"+'y'-0123456789abcdef\\z"
OTHER = "quite-another-secret-of-another-length"
LEAKY = """
import logging, os, sys, time, warnings
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
import structlog

HERE = Path(__file__).parent

@dataclass
class Session:
    token: str

def tell(token):
    basic = b64encode(f"user:{token}".encode()).decode()
    url = f"https://shop.example/?key={quote(token, safe='')}&page=2"
    log = logging.getLogger("shop")
    log.debug("sending %r", {"Authorization": token})
    log.warning("GET %s with Basic %s", url, basic)
    log.info("x" * 16380 + token)
    structlog.get_logger().warning(
        "sent", token=token, session=Session(token), deep=[{token: Session(token)}], obj=log
    )
    structlog.get_logger().warning("fallback", token=token, session=Session(token), big=2**70)
    structlog.get_logger().warning("odd", token=token, lone="\\udcff" + token)
    try:
        raise KeyError(token)
    except KeyError:
        log.exception("caught")
        structlog.get_logger().exception("caught")
    warnings.warn(f"token {token} will expire")
    print("token is", token, basic)
    print(token, file=sys.stderr)
    return url

def succeed(n, *, token):
    tell(token)
    return n

def fail(n, *, token):
    url = tell(token)
    if n % 2:
        raise ConnectionError(f"{url} {token!r} " + "." * 4000 * (n % 3) + token * 200) from ValueError(token)
    return n

def slowly(n, *, token):
    (HERE / f"started.{n}").touch()
    while n == 4 and not (HERE / "go").exists():
        time.sleep(0.005)
    if n % 2:
        raise ConnectionError(f"refused {token} {'x' * 4096}{token}")
    return n

def publish(n, *, token):
    return {"token": token}

def number(n, *, token: int):
    return n

class Client:
    def __init__(self, token):
        self.token = token
    def __repr__(self):
        return f"<Client with {self.token}>"

def sessions(token):
    yield Client(token)

def items(token):
    yield 0
    raise ConnectionError(f"cannot connect with {token}")
"""


def forms(value: str) -> list[bytes]:
    """Return what to search for: the value and what the planted task makes of it."""
    data = value.encode()
    texts = [value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1], repr(value)[1:-1]]
    texts += [json.dumps(value, ensure_ascii=False)[1:-1], ascii(value)[1:-1], value[:20], value[-20:]]
    texts += [b64encode(data).decode()[:20], urlsafe_b64encode(data).decode()[:20]]
    texts += [b64encode(b"user:" + data).decode()[8:28], data.hex()[:20]]
    return [text.encode() for text in texts]


def leaks(project, *said: str, but: tuple[str, ...] = (), value: str = VALUE) -> list[str]:
    """Return where the value stands: in texts that were said, in a file of the project or a name of one."""
    found = [f"said: {text}" for text in said if any(form in text.encode() for form in forms(value))]
    paths = [path for path in project.root.rglob("*") if path.name not in but]
    searched = 0
    for path in paths:
        content = path.read_bytes() if path.is_file() else b""
        searched += len(content)
        if any(form in content or form in os.fsencode(path) for form in forms(value)):
            found.append(str(path))
    assert searched > 1000
    return found


@pytest.fixture
def leaky(project):
    """Give a project whose task says its secret wherever it can, with a log that takes everything."""
    project.write("leaky.py", LEAKY)
    project.write("config.yaml", "log: {level: debug}\n")
    project.environ["API_TOKEN"] = VALUE

    def job(task: str, **keys):
        project.job(task={"call": f"leaky.{task}", "with": {"token": "${secret.API_TOKEN}"}}, **keys)

    project.leaky = job
    return project


def test_a_run_that_succeeds_leaves_no_secret(leaky):
    """With everything logged and printed, and a report for machines."""
    leaky.leaky("succeed")
    done = leaky.run("--json")
    assert done.code == 0, done.err
    assert leaks(leaky, done.out, done.err) == []
    assert "token is ${secret.API_TOKEN}" in done.err
    events = [event for event in leaky.logged() if event["event"] == "task.log"]
    assert len(events) == 6 * 8 + 1  # Python shows a warning of one place once
    assert leaky.lines("out.jsonl") == list(range(6))


def test_a_log_line_stays_what_it_was_but_for_the_secret(leaky):
    """Data are still data, and the keys of every line are untouched."""
    leaky.leaky("succeed", input={"type": "range", "stop": 1})
    assert leaky.run().code == 0
    events = leaky.logged()
    sent = next(event for event in events if event.get("message") == "sent")
    marker = "${secret.API_TOKEN}"
    assert sent["data"]["token"] == marker
    assert sent["level"] == "warning"
    assert sent["index"] == 0
    assert {event["job"] for event in events} == {"example"}
    cut = next(event for event in events if event.get("message", "").startswith("xxx"))
    assert cut["message"] == "x" * 16380 + marker[:4]


def test_a_run_that_fails_leaves_no_secret(leaky):
    """In the message, in its cause, in the traceback, at the place where a message is cut."""
    leaky.leaky("fail")
    done = leaky.run("--json")
    assert done.code == 1
    assert leaks(leaky, done.out, done.err) == []
    failed = next(event for event in leaky.logged() if event["event"] == "item.failed")
    assert "ValueError: ${secret.API_TOKEN}" in failed["traceback"]
    assert "ConnectionError" in done.err


def test_tolerated_failures_leave_no_secret(leaky):
    """Neither in the dead letters nor in the summary."""
    leaky.leaky("fail", failures={"tolerate": "all"}, pool={"ordered": False})
    done = leaky.run()
    assert done.code == 0, done.err
    assert leaks(leaky, done.out, done.err) == []
    letters = leaky.lines("out.failed.jsonl")
    assert len(letters) == 3
    assert all("${secret.API_TOKEN}" in letter["error"]["message"] for letter in letters)


def test_rows_are_not_touched(leaky):
    """Bytes of an output are exact: what a task returns is its own affair."""
    leaky.leaky("publish", output={"type": "jsonl", "path": "-"})
    done = leaky.run()
    assert done.code == 0
    assert [json.loads(line) for line in done.out.splitlines()] == [{"token": VALUE}] * 6


def test_a_killed_run_leaves_no_secret_and_goes_on_with_another_one(leaky):
    """`kill -9` in the middle, a new token: the bytes are those of a run that nothing happened to."""
    keys = {"failures": {"tolerate": "all"}, "commit": {"every": "0s"}, "pool": {"size": 1}}
    leaky.leaky("slowly", **keys)
    with leaky.start() as running:
        running.until(lambda: leaky.has("started.4"))
        # Four outcomes are delivered one after the other; each is committed at once.
        running.until(lambda: b'"items":4' in work(leaky, "ck"))
        running.process.kill()
        assert running.end().code == -signal.SIGKILL
        killed = running.err
    assert leaks(leaky, killed) == []
    assert b"${secret.API_TOKEN}" in work(leaky, "ck")
    assert b"${secret.API_TOKEN}" in work(leaky, "dead")

    job = leaky.read("job.yaml")
    leaky.leaky("slowly", **keys, params={"more": 1}, input={"type": "range", "stop": 7})
    refused = leaky.run("--json")
    assert refused.code == 3
    assert leaks(leaky, refused.out, refused.err) == []

    leaky.write("job.yaml", job)
    leaky.let_go()
    leaky.write("token", OTHER)
    done = leaky.run("--json", "--set", "secrets.API_TOKEN.file=token")
    assert done.code == 0, done.err
    assert done.report["resumed_from"] == 4
    assert leaks(leaky, done.out, done.err) == []
    assert leaks(leaky, done.out, done.err, value=OTHER, but=("token",)) == []
    resumed = [leaky.read(name) for name in ("out.jsonl", "out.failed.jsonl")]
    leaky.environ["API_TOKEN"] = "a-third-one"
    assert leaky.run("--restart").code == 0
    assert [leaky.read(name) for name in ("out.jsonl", "out.failed.jsonl")] == resumed


def work(project, name: str) -> bytes:
    """Return the content of a file of the work folder, nothing where there is none."""
    path = project.root / ".out.jsonl.run" / name
    return path.read_bytes() if path.exists() else b""


def test_an_input_that_breaks_leaves_no_secret(leaky):
    """A `python` input is given one too, and says it when it cannot connect."""
    leaky.job(input={"type": "python", "call": "leaky.items", "with": {"token": "${secret.API_TOKEN}"}})
    done = leaky.run("--json")
    assert done.code == 4
    assert "cannot connect with ${secret.API_TOKEN}" in done.report["message"]
    assert leaks(leaky, done.out, done.err) == []


def test_an_item_that_is_no_data_leaves_no_secret(leaky):
    """Dead letters show such an item by its `repr`, which may be a session with a token."""
    leaky.leaky(
        "fail",
        input={"type": "python", "call": "leaky.sessions", "with": {"token": "${secret.API_TOKEN}"}},
        failures={"tolerate": "all"},
    )
    assert leaky.run().code == 0
    assert leaky.lines("out.failed.jsonl")[0]["raw"] == "<Client with ${secret.API_TOKEN}>"
    assert leaks(leaky) == []


def test_a_task_that_does_not_fit_leaves_no_secret(leaky):
    """Faults show an argument that has the wrong type."""
    leaky.leaky("number")
    done = leaky.run("--json")
    assert done.code == 78
    assert "must be int, got '${secret.API_TOKEN}'" in done.err
    assert leaks(leaky, done.out, done.err) == []


def test_a_module_that_cannot_be_imported_leaves_no_secret(leaky):
    """What it says and where it says it is shown, without the value that it read by itself."""
    leaky.write("broken.py", "import os\nraise RuntimeError(f'no good: {os.environ[\"API_TOKEN\"]}')\n")
    leaky.job(task="broken.it", secrets={"API_TOKEN": {"env": "API_TOKEN"}})
    done = leaky.run("--json")
    assert done.code == 78
    assert "no good: ${secret.API_TOKEN}" in done.err
    assert leaks(leaky, done.out, done.err) == []


def test_a_fault_of_the_job_file_leaves_no_secret(leaky):
    """Nor does the echo of a flag that somebody gave the value itself."""
    leaky.leaky("succeed", pool={"size": 0}, description="${secret.API_TOKEN}")
    done = leaky.run("--json", "--set", f"pool.window={json.dumps(VALUE)}")
    assert done.code == 78
    assert "pool.window" in done.err
    assert leaks(leaky, done.out, done.err) == []


def test_a_bug_of_ours_leaves_no_secret(leaky):
    """Its traceback is printed for a report, which somebody will paste somewhere."""
    leaky.write("buggy.py", BUGGY)
    leaky.job(task="buggy.it", secrets={"API_TOKEN": {"env": "API_TOKEN"}})
    done = leaky.run("--json")
    assert done.code == 70
    assert "please report this" in done.err
    assert "RuntimeError: confused by ${secret.API_TOKEN}" in done.err
    assert done.report["message"] == "a bug of runner: RuntimeError: confused by ${secret.API_TOKEN}"
    assert leaks(leaky, done.out, done.err) == []


BUGGY = """
import os
from runner.delivery import Delivery

def conclude(self, **keys):
    raise RuntimeError(f"confused by {os.environ['API_TOKEN']}")

Delivery.conclude = conclude

def it(n):
    return n
"""


def test_a_terminal_shows_no_secret(leaky):
    """The live line breaks what a task prints at the width of the terminal, also within a long secret."""
    value = "".join(f"{number:03x}-" for number in range(400, 460))
    chatty = (
        "import time\ndef it(n, *, token):\n    time.sleep(0.5)\n    print('it is ' + token)\n    return n\n"
    )
    leaky.write("chatty.py", chatty)
    leaky.job(task={"call": "chatty.it", "with": {"token": "${secret.API_TOKEN}"}}, pool={"size": 2})
    primary, secondary = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "runner", "run", "job.yaml"],
        cwd=leaky.root,
        env={**leaky.environ, "API_TOKEN": value, "TERM": "xterm", "COLUMNS": "60"},
        stdin=subprocess.DEVNULL,
        stdout=secondary,
        stderr=secondary,
    )
    os.close(secondary)
    shown = read_all(primary)
    assert process.wait() == 0, shown
    assert b"\x1b[" in shown
    assert shown.count(b"it is ${secret.API_TOKEN}") == 6
    assert value[:12].encode() not in shown
    assert leaks(leaky, value=value) == []


def read_all(descriptor: int) -> bytes:
    """Return what is written to a terminal until it is closed."""
    parts = []
    while True:
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # EIO: the last one at the other end has gone
            part = b""
        if not part:
            os.close(descriptor)
            return b"".join(parts)
        parts.append(part)


def test_validate_neither_needs_nor_reads_a_secret(leaky):
    """A warning, and exit code 0; a run of the same file is refused with what to do."""
    leaky.leaky("succeed", secrets={"API_TOKEN": {"file": "run/token"}})
    checked = leaky.runner("validate", "job.yaml", "--format", "json")
    assert checked.code == 0
    assert [problem["code"] for problem in json.loads(checked.out)] == ["unset-secret"]
    refused = leaky.run()
    assert refused.code == 78
    assert "the secret `API_TOKEN` has no value: run/token: No such file or directory" in refused.err
    assert "can read" in refused.err
