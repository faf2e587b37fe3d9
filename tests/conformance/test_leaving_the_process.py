"""Law 6 and Ctrl-C in real processes: nothing that hangs keeps a program from ending, and in silence."""

from __future__ import annotations

import signal
import subprocess

import pytest

from .probes import end_of, start_script

pytestmark = pytest.mark.slow

PRELUDE = """
import itertools, os, signal, sys, threading, time
import runner

chunksize = int(sys.argv[1]) if sys.argv[1:] else 1
never = threading.Event()

def endless():
    yield from range(50)
    never.wait()

def hang(item):
    if item >= 20:
        never.wait()
    return item
"""

PROGRAMS = {
    "never-read": """
results = runner.imap(abs, itertools.count(), chunksize=chunksize)
""",
    "half-read": """
results = runner.imap(abs, itertools.count(), chunksize=chunksize)
print(next(results))
""",
    "half-read-in-a-cycle": """
class Holder: pass
holder = Holder()
holder.itself, holder.results = holder, runner.imap(abs, itertools.count(), chunksize=chunksize)
print(next(holder.results))
""",
    "read-to-the-end": """
print(len(list(runner.imap(abs, range(500), chunksize=chunksize))))
""",
    "hung-task": """
results = runner.imap(hang, itertools.count(), chunksize=chunksize, size=2)
print(next(results))
""",
    "hung-task-closed": """
with runner.imap(hang, itertools.count(), chunksize=chunksize, size=2) as results:
    print(next(results))
    results.close(grace=0)
""",
    "blocked-input": """
results = runner.imap(abs, endless(), chunksize=chunksize)
print(next(results))
""",
    "blocked-input-closed": """
results = runner.imap(abs, endless(), chunksize=chunksize)
print(next(results))
results.close(grace=0)
""",
    "input-blocked-in-a-system-call": """
readable, writable = os.pipe()
results = runner.imap(len, iter(lambda: os.read(readable, 1), b""), chunksize=1)
os.write(writable, b"x")
print(next(results))
""",
    "many-maps": """
several = [runner.imap(hang, endless(), chunksize=chunksize, size=2, window=20) for _ in range(10)]
print([next(results) for results in several])
""",
    "sys-exit-in-the-loop": """
for result in runner.imap(abs, itertools.count(), chunksize=chunksize):
    if result == 30:
        sys.exit(0)
""",
    "drained-in-a-signal-handler": """
from runner.engine.threads import ThreadPool
from runner.engine.window import Outcomes

outcomes = Outcomes(
    itertools.count(),
    lambda done: ThreadPool(
        lambda: (abs, None), lambda item, error: error, done, size=2, is_chunked=chunksize > 1
    ),
    chunksize=chunksize,
    ordered=True,
    window=100,
)
signal.signal(signal.SIGALRM, lambda *_: outcomes.drain(grace=1))
signal.setitimer(signal.ITIMER_REAL, 0.02)
delivered = [result for results in outcomes for result in results]
assert delivered == list(range(len(delivered)))
assert not outcomes.complete
""",
}


@pytest.mark.parametrize("chunksize", [1, 10])
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_ends_by_itself_with_success_and_without_a_word(program: str, chunksize: int) -> None:
    """Whatever its threads are at when the last line has run."""
    code, _, stderr = end_of(start_script(PRELUDE + PROGRAMS[program], chunksize))
    assert stderr == ""
    assert code == 0


def test_a_program_that_fails_in_the_loop_shows_its_own_error_only() -> None:
    """The traceback is that of the program, with its exit code; the threads add nothing to it."""
    text = """
for result in runner.imap(hang, endless(), size=2):
    raise SystemError("the program's own")
"""
    code, _, stderr = end_of(start_script(PRELUDE + text))
    assert code == 1
    assert stderr.startswith("Traceback")
    assert stderr.count("Traceback") == 1
    assert stderr.endswith("SystemError: the program's own\n")


def test_a_caller_that_asks_close_can_leave_a_blocked_stdin() -> None:
    """CPython aborts at exit while a thread sits in `sys.stdin.buffer`: `close` tells of that thread."""
    text = """
results = runner.imap(bytes.strip, sys.stdin.buffer)
print(next(results), flush=True)
if results.close(grace=0.5):
    os._exit(0)
"""
    process = start_script(PRELUDE + text, stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write("first\n" + "x" * 10)
    process.stdin.flush()
    assert process.wait(timeout=20) == 0
    process.stdin.close()
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read() == "b'first'\n"
    assert process.stderr.read() == ""
    process.stdout.close()
    process.stderr.close()


INTERRUPTED = """
signal.signal(signal.SIGINT, signal.default_int_handler)

main = threading.get_ident()

def tell(item):
    if item == 30:
        # A signal that arrives on the way into a wait is another test's matter.
        while not sys._current_frames()[main].f_code.co_filename.endswith("window.py"):
            time.sleep(0.001)
        time.sleep(0.05)
        # Not by print: a thread that is ended within it holds the lock that the exit needs.
        os.write(1, b"waiting\\n")
    if item >= 30:
        never.wait()
    return item

results = runner.imap(tell, {items}, chunksize=chunksize, size=2, ordered={ordered})
{loop}
"""

LOOPS = {
    "for": "for _ in results: pass",
    "list": "list(results)",
    "with": "with results: list(results)",
}


@pytest.mark.parametrize("chunksize", [1, 10])
@pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "unordered"])
@pytest.mark.parametrize("loop", LOOPS)
def test_ctrl_c_interrupts_a_consumer_that_waits(chunksize: int, ordered: bool, loop: str) -> None:
    """Tasks hang, the consumer waits in C code: one SIGINT ends the program as it ends any other."""
    text = INTERRUPTED.format(items="itertools.count()", ordered=ordered, loop=LOOPS[loop])
    assert interrupt(PRELUDE + text, chunksize) == -signal.SIGINT


@pytest.mark.parametrize("chunksize", [1, 10])
def test_ctrl_c_interrupts_a_consumer_of_a_blocked_input(chunksize: int) -> None:
    """Nothing runs at all, the input hangs."""
    text = INTERRUPTED.format(items="map(tell, [30])", ordered=True, loop=LOOPS["for"])
    assert interrupt(PRELUDE + text, chunksize) == -signal.SIGINT


@pytest.mark.parametrize("chunksize", [1, 10])
def test_ctrl_c_interrupts_a_consumer_in_full_flow(chunksize: int) -> None:
    """The results come faster than they can be counted."""
    text = """
signal.signal(signal.SIGINT, signal.default_int_handler)
results = runner.imap(abs, itertools.count(), chunksize=chunksize)
next(results)
print("waiting", flush=True)
for _ in results: pass
"""
    assert interrupt(PRELUDE + text, chunksize) == -signal.SIGINT


def interrupt(text: str, chunksize: int) -> int:
    """Start the program, send SIGINT when it says that it waits, return its exit code."""
    process = start_script(text, chunksize)
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGINT)
    code, _, stderr = end_of(process)
    assert stderr.count("Traceback") == 1
    assert stderr.endswith("KeyboardInterrupt\n")
    return code
