"""Tasks that do what nobody should do in a worker: the run ends with a sentence and the right code."""

from __future__ import annotations

from textwrap import dedent

import pytest

from tests.acceptance.conftest import Project

TASKS = """\
    import os, sys, time
    from pathlib import Path

    import runner

    HERE = Path(__file__).parent
    ODD = [float("nan"), float("inf"), -5, "soon", "0.01", 10**400, b"1", [], None]

    class Unprintable(Exception):
        def __str__(self):
            raise SystemExit("no text")
        __repr__ = __str__

    class Aborted(BaseException):
        pass

    class NotEvenMade(Exception):
        def __init__(self):
            raise RuntimeError("no exception today")

    class Unhelpful(type):
        def __instancecheck__(cls, each):
            raise RuntimeError("who knows")

    class Strange(Exception, metaclass=Unhelpful):
        pass

    def fails(n, context: runner.Context):
        with (HERE / "calls").open("a") as calls:
            calls.write(f"{n}\\n")
        kind = n % 8
        if kind == 0:
            raise Unprintable
        if kind == 1:
            raise Aborted("base")
        if kind == 2:
            raise NotEvenMade
        if kind == 3:
            raise Strange("odd")
        if kind == 4:
            sys.exit(3)
        if kind == 5:
            raise KeyboardInterrupt
        if kind == 6:
            error = ValueError("0")
            for number in range(2000):
                cause, error = error, ValueError(str(number))
                error.__cause__ = cause
            raise error
        error = ValueError("itself")
        error.__cause__ = error
        raise error

    class ApiError(Exception):
        def __init__(self, payload):
            super().__init__(payload["message"])
            self.payload = payload
        def __getattr__(self, name):
            return self.payload[name]

    class Closed(Exception):
        def __getattribute__(self, name):
            raise SystemExit(name)

    class NoClass(Exception):
        __class__ = __notes__ = __traceback__ = property(lambda self: 1 / 0)

    class Nameless(type):
        def __getattribute__(cls, name):
            if name in ("__name__", "__qualname__", "__mro__"):
                raise LookupError(name)
            return super().__getattribute__(name)

    class Unnamed(Exception, metaclass=Nameless):
        pass

    class NoParts(ExceptionGroup):
        exceptions = property(lambda self: 1 / 0)

    class Half(Exception):
        pass
    Half.__qualname__ = "Half\\ud800"

    MALFORMED = SyntaxError("bad grammar", ("x.py", 3, 1, "a b"))
    MALFORMED.lineno = MALFORMED.offset = MALFORMED.text = Unprintable()

    CLOSED_BOOKS = [
        ApiError({"message": "gone"}), Closed("shut"), NoClass("none"), Unnamed("who"),
        NoParts("both", [ValueError("one")]), Half("half"), MALFORMED,
    ]

    def raises_closed_books(n, context: runner.Context):
        raise CLOSED_BOOKS[n]

    class NeverOpened:
        def __init__(self):
            raise CLOSED_BOOKS[0]
        def __call__(self, n):
            return n

    def asks_for_odd_times(n, context: runner.Context):
        if context.attempt == 1:
            error = ConnectionError("later")
            error.retry_after = ODD[n % len(ODD)]
            raise error
        return n

    def forks(n):
        pid = os.fork()
        if pid == 0:
            if n % 2:
                sys.exit(7)
            return n
        os.waitpid(pid, 0)
        with (HERE / "calls").open("a") as calls:
            calls.write(f"{n}\\n")
        return n

    class Forks:
        def __call__(self, n):
            return forks(n)
        def close(self):
            with (HERE / "closed").open("a") as closed:
                closed.write(f"{os.getpid()}\\n")

    def leaves_at_ten(n):
        if n == 10 and not (HERE / "mended").exists():
            time.sleep(0.2)
            os._exit(3)
        return n

    def closes_everything(n):
        os.closerange(3, 64)
        return n

    def closes_standard_streams(n):
        for stream in (0, 1, 2):
            try:
                os.close(stream)
            except OSError:
                pass
        return n

    def takes_streams_away(n):
        sys.stdin = sys.stdout = sys.stderr = None
        print("nobody hears")
        return n

    def tells_the_run_to_end(n):
        import signal
        if n == 2:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.5)
        return n

    def pauses(n):
        time.sleep(0.01)
        return n

    class Elsewhere:
        def __enter__(self):
            return 5
        def __exit__(self, *about):
            (HERE / "left").touch()
        def __call__(self, n):
            return n

    class Share:
        close = 104.2
        def __call__(self, n):
            return n
"""
QUICK = {"attempts": 2, "backoff": {"initial": "5ms", "max": "10ms"}}


@pytest.fixture
def hostile(project: Project) -> Project:
    """Give a project with such tasks."""
    project.write("hostile.py", dedent(TASKS))
    return project


@pytest.mark.parametrize(
    ("errors", "again"),
    [
        (None, {0, 2, 3, 6, 7}),
        (["BaseException"], set(range(8))),
        (["KeyboardInterrupt", "hostile.Strange", "hostile.NotEvenMade", "hostile.Aborted"], {1, 3, 5}),
    ],
    ids=["by default", "all", "some"],
)
def test_every_exception_is_the_failure_of_its_item(
    hostile: Project, errors: list[str] | None, again: set[int]
) -> None:
    """Whatever it is, it is tried again where a rule names it or a base of it, and is a dead letter else."""
    hostile.job(
        task="hostile.fails",
        input={"type": "range", "stop": 16},
        retry={**QUICK, **({"errors": errors} if errors else {})},
        failures={"tolerate": "all"},
        pool={"size": 3, "ordered": False, "window": 3},
    )
    done = hostile.run("--json")
    assert done.code == 0, done.err
    assert "Traceback" not in done.err
    calls = [int(call) for call in hostile.read("calls").split()]
    for n in range(16):
        assert calls.count(n) == (2 if n % 8 in again else 1), n
    assert done.report["failed"] == 16
    assert done.report["retries"] == 2 * len(again)
    types = {dead["item"]: dead["error"]["type"] for dead in hostile.lines("out.failed.jsonl")}
    assert types[2] == "RuntimeError", "the exception was never made; what its class raised is the failure"
    assert (types[0], types[3], types[5]) == ("hostile.Unprintable", "hostile.Strange", "KeyboardInterrupt")


@pytest.mark.parametrize(
    "keys", [{}, {"retry": QUICK}, {"retry": {**QUICK, "errors": ["hostile.ApiError", "hostile.Unnamed"]}}]
)
def test_an_exception_that_does_not_let_itself_be_looked_at_is_the_failure_of_its_item(
    hostile: Project, keys: dict[str, object]
) -> None:
    """With its type, its message and the user's frames, in the dead letters, the log and the summary."""
    hostile.job(
        task="hostile.raises_closed_books",
        input={"type": "range", "stop": 7},
        failures={"tolerate": "all"},
        **keys,
    )
    done = hostile.run()
    assert done.code == 0, done.err
    assert "Traceback" not in done.err
    dead = [each["error"] for each in hostile.lines("out.failed.jsonl")]
    assert [(each["type"], each["message"]) for each in dead[:6]] == [
        ("hostile.ApiError", "gone"),
        ("hostile.Closed", "shut"),
        ("hostile.NoClass", "none"),
        ("hostile.Unnamed", "who"),
        ("hostile.NoParts", "both (1 sub-exception)"),
        ("hostile.Half\\ud800", "half"),
    ]
    assert dead[6]["type"] == "SyntaxError"
    assert "hostile.ApiError" in done.err
    failed = [event for event in hostile.logged() if event["event"] == "item.failed"]
    assert len(failed) == 7
    for event in failed:
        assert "raise CLOSED_BOOKS[n]" in event["traceback"]
        assert event["error"]["type"] in event["traceback"]


def test_such_an_exception_is_shown_by_every_other_command(hostile: Project) -> None:
    """`preview`, `test`, `validate --import`, and where a worker is set up."""
    tests = [{"name": f"book {n}", "item": n, "error": {"type": "OSError"}} for n in range(7)]
    hostile.job(task="hostile.raises_closed_books", input={"type": "range", "stop": 7}, tests=tests)
    done = hostile.runner("preview", "job.yaml", "-n", "7")
    assert done.code == 1, done.err
    assert "!! hostile.Unnamed: who" in done.err
    assert done.err.count("raise CLOSED_BOOKS[n]") == 7
    done = hostile.runner("test", "job.yaml")
    assert done.code == 1, done.err
    assert "got hostile.NoClass" in done.out
    hostile.job(task="hostile.NeverOpened")
    done = hostile.run()
    assert done.code == 4, done.err
    assert "`hostile.NeverOpened` raised hostile.ApiError: gone" in done.err
    hostile.write("early.py", "import hostile\nraise hostile.CLOSED_BOOKS[0]\n")
    hostile.job(task="early.f")
    for command, code in (("validate", 1), ("run", 78)):
        done = hostile.runner(command, "job.yaml", *(["--import"] if code == 1 else []))
        assert done.code == code, done.err
        assert "`early` cannot be imported: ApiError: gone" in done.out + done.err


def test_a_wait_that_makes_no_sense_is_none(hostile: Project) -> None:
    """`retry_after` of NaN, infinity, below 0, a text, or more than a float can say."""
    hostile.job(task="hostile.asks_for_odd_times", input={"type": "range", "stop": 18}, retry=QUICK)
    done = hostile.run("--json")
    assert done.code == 0, done.err
    assert done.report["retries"] == 18
    assert hostile.lines("out.jsonl") == list(range(18))


@pytest.mark.parametrize(
    ("task", "keys"),
    [
        ("hostile.forks", {}),
        ("hostile.forks", {"pool": {"size": 3, "chunksize": 5}}),
        ("hostile.Forks", {"timeout": "60s"}),
    ],
)
def test_a_forked_child_that_comes_back_does_not_work_on(
    hostile: Project, task: str, keys: dict[str, object]
) -> None:
    """It ends where it would take the next item; what it inherited, the parent closes, and nobody waits."""
    hostile.job(**{"task": task, "input": {"type": "range", "stop": 12}, "pool": {"size": 3}, **keys})
    done = hostile.run()
    assert done.code == 0, done.err
    assert hostile.lines("out.jsonl") == list(range(12))
    assert sorted(int(call) for call in hostile.read("calls").split()) == list(range(12))
    if task == "hostile.Forks":
        assert len(set(hostile.read("closed").split())) == 1
    assert not hostile.has(".out.jsonl.lock")


def test_a_worker_that_ends_the_process_leaves_a_run_that_goes_on(hostile: Project) -> None:
    """`os._exit` cannot be caught: it is a kill, and the same command does what a kill needs."""
    hostile.job(
        task="hostile.leaves_at_ten",
        input={"type": "range", "stop": 20},
        pool={"size": 1},
        commit={"every": "10ms"},
    )
    assert hostile.run().code == 3
    hostile.write("mended", "")
    done = hostile.run("--json")
    assert done.code == 0, done.err
    assert done.report["resumed_from"] == 10
    assert hostile.lines("out.jsonl") == list(range(20))


def test_a_task_that_closes_our_files_breaks_the_run_with_a_sentence(hostile: Project) -> None:
    """Output, lock and log are gone: exit code 4, no traceback, nothing published."""
    hostile.job(task="hostile.closes_everything")
    done = hostile.run()
    assert done.code == 4
    assert "Traceback" not in done.err
    assert "Bad file descriptor" in done.err
    assert not hostile.has("out.jsonl")


@pytest.mark.parametrize("task", ["closes_standard_streams", "takes_streams_away"])
def test_a_task_that_closes_the_standard_streams_changes_nothing(hostile: Project, task: str) -> None:
    """Rows do not go there, and what would be said there is lost."""
    hostile.job(task=f"hostile.{task}", timeout="60s", failures={"tolerate": "all"})
    done = hostile.run()
    assert done.code == 0, done.err
    assert "Traceback" not in done.err
    assert hostile.lines("out.jsonl") == list(range(6))


def test_a_signal_from_within_is_a_signal(hostile: Project) -> None:
    """A task that sends SIGTERM to its own process stops the run as anybody else does."""
    hostile.job(
        task="hostile.tells_the_run_to_end",
        input={"type": "range", "stop": 5000},
        pool={"size": 1, "window": 4},
        retry=QUICK,
    )
    done = hostile.run()
    assert done.code == 143
    assert "the same command goes on" in done.err


def test_a_thousand_workers_under_every_policy(hostile: Project) -> None:
    """Threads are cheap enough; the run is over when its items are."""
    hostile.job(
        task="hostile.pauses",
        input={"type": "range", "stop": 3000},
        pool={"size": 1024, "chunksize": 100, "window": 4096},
        timeout="30s",
        retry=QUICK,
        rate_limit={"rate": "100000/s", "burst": 1000},
    )
    done = hostile.run()
    assert done.code == 0, done.err
    assert hostile.lines("out.jsonl") == list(range(3000))


def test_an_attempt_that_ends_at_its_timeout_is_one_or_the_other(hostile: Project) -> None:
    """A row or a dead letter, never both and never neither, however close it is."""
    hostile.job(
        task="hostile.pauses",
        input={"type": "range", "stop": 400},
        pool={"size": 32},
        timeout="10ms",
        retry={"attempts": 2, "errors": ["TimeoutError"], "backoff": {"initial": "1ms", "max": "2ms"}},
        failures={"tolerate": "all"},
    )
    for _ in range(40):  # on a busy machine more threads may hang for a moment than there are workers
        done = hostile.run("--json")
        if done.code != 4:
            break
    assert done.code == 0, done.err
    rows, dead = hostile.lines("out.jsonl"), [each["index"] for each in hostile.lines("out.failed.jsonl")]
    assert rows == sorted(rows)
    assert dead == sorted(dead)
    assert sorted(rows + dead) == list(range(400))


def test_what_is_entered_must_be_callable(hostile: Project) -> None:
    """Else every item would fail for what is no fault of its own; what was entered is left."""
    hostile.job(task="hostile.Elsewhere", failures={"tolerate": "all"})
    done = hostile.run()
    assert done.code == 4
    assert "`__enter__` returned a value of type int, which cannot be called" in done.err
    assert hostile.has("left")


def test_a_close_that_is_no_method_is_no_close(hostile: Project) -> None:
    """It may be the price of a share."""
    hostile.job(task="hostile.Share")
    done = hostile.run()
    assert (done.code, "warning" in done.err) == (0, False), done.err
