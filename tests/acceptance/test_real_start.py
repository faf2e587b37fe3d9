"""Each command and each exit code with an interpreter started for it; and forked, which is to be the same.

The other tests fork most of their processes (`tests.forked`), and rely on what is held here.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import forked

STATE = """\
    import gc, locale, logging, os, re, resource, signal, structlog, sys, threading, time, warnings
    from pathlib import Path

    FLAG = re.compile(r"dont_write_bytecode=\\d")  # what stands in `sys` counts
    OUT = ("stdout", "stderr")
    MINE = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}  # those that a run handles

    def stream(name):
        found = getattr(sys, name)
        raw = found.buffer.raw
        return [
            *(type(each).__name__ for each in (found, found.buffer, raw)),
            *(found.encoding, found.errors, found.newlines, found.mode, found.name, raw.name, raw.mode),
            *(found.line_buffering, found.write_through, raw.closefd, found.isatty(), raw.fileno()),
        ]

    def it(item):
        main = sys.modules["__main__"]
        descriptors = {number: os.stat(number) for number in range(256) if is_open(number)}
        status = Path("/proc/self/status")
        return {
            "sys": [sys.argv, sys.orig_argv, sys.path, sys.executable, sys.getrecursionlimit()],
            "flags": [FLAG.sub("", repr(sys.flags)), sys.dont_write_bytecode, gc.get_threshold()],
            "main": [main.__name__, main.__file__, main.__spec__.name],
            "hooks": [repr(each) for each in (sys.excepthook, threading.excepthook, sys.displayhook)],
            "traces": [repr(sys.gettrace()), repr(sys.getprofile()), repr(sys.path_hooks[0])],
            "streams": {name: stream(name) for name in ("stdin", "stdout", "stderr")},
            "same": [getattr(sys, name) is getattr(sys, f"__{name}__") for name in ("stdin", "stderr")],
            "borrowed": [getattr(structlog._output, name).fileno() for name in OUT],
            "environ": dict(os.environ),
            "place": [os.getcwd(), time.tzname, locale.setlocale(locale.LC_ALL)],
            "group": [os.getpgid(0), os.getsid(0), os.getuid()],
            "handlers": {
                str(int(number)): repr(signal.getsignal(number)) for number in signal.valid_signals() - MINE
            },
            "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
            "limits": [resource.getrlimit(number) for number in range(resource.RLIMIT_NOFILE + 1)],
            "kernel": [
                line
                for line in (status.read_text().splitlines() if status.is_file() else [])
                if line.startswith(("Umask", "SigBlk", "SigIgn", "SigCgt", "Cap", "NoNewPrivs"))
            ],
            "descriptors": sorted(f"{each.st_mode:o}" for each in descriptors.values()),
            "threads": sorted(each.name for each in threading.enumerate() if "committer" not in each.name),
            "warnings": repr(warnings.filters),
            "logging": [repr(logging.getLogger().handlers), structlog.is_configured()],
            "ours": sorted(name for name in sys.modules if name.startswith(("tests", "pytest", "_pytest"))),
        }

    def is_open(number):
        try:
            os.fstat(number)
        except OSError:
            return False
        return True
"""


def test_a_forked_process_finds_what_a_started_one_finds(project):
    """Of itself, of the interpreter and of the kernel, as seen from a task."""
    found = []
    project.environ |= {"TZ": "Asia/Kathmandu", "PYTHONDONTWRITEBYTECODE": "1"}
    before = os.umask(0o027)
    try:
        for is_started in (True, False):
            project.write("state.py", "\n".join(line[4:] for line in STATE.splitlines()))
            project.job(task="state.it", input={"type": "range", "stop": 1})
            done = project.run(is_started=is_started, stdin=b"x")
            assert done.code == 0, done.err
            found.append(project.lines("out.jsonl")[0])
    finally:
        os.umask(before)
    assert len(found[0]) == 20
    for part, started in found[0].items():
        assert found[1][part] == started, part


def shown(project, done) -> list[str]:
    """Return what a process said, without what no two runs have in common."""
    text = f"{done.out}\n{done.err}".replace(str(project.root), "ROOT").partition("  an item takes ")[0]
    for pattern in (r"\d{8}T\d{6}\.\d+Z-\w+", r"\d+(\.\d+)? (µs|ms|s)\b", r"[\d,.]+ items/s", r"process \d+"):
        text = re.sub(pattern, "_", text)
    return [re.sub(r"\"(duration_seconds|run_id)\":[^,}]*", "", line) for line in text.splitlines()]


CASES = [
    (0, {}, "run job.yaml"),
    (0, {}, "run job.yaml --json"),
    (1, {"task": "tasks.broken"}, "run job.yaml"),
    (2, {}, "run no-such.yaml"),
    (2, {}, "run job.yaml --no-such-flag"),
    (3, {}, "run job.yaml --resume"),
    (4, {"input": {"type": "jsonl", "path": "no-such.jsonl"}}, "run job.yaml"),
    (78, {"pool": {"sise": 1}}, "run job.yaml"),
    (0, {}, "validate job.yaml"),
    (1, {"pool": {"sise": 1}}, "validate job.yaml"),
    (0, {}, "plan job.yaml"),
    (0, {}, "diff job.yaml job.yaml"),
    (1, {}, "diff job.yaml other.yaml --exit-code"),
    (78, {"pool": {"sise": 1}}, "diff job.yaml other.yaml"),
    (0, {}, "preview job.yaml"),
    (1, {"task": "tasks.broken"}, "preview job.yaml"),
    (0, {"tests": [{"name": "one", "item": 1, "row": 1}]}, "test job.yaml"),
    (1, {"tests": [{"name": "one", "item": 1, "row": 2}]}, "test job.yaml"),
    (0, {}, "init new"),
    (0, {}, "explain pool.size"),
    (0, {}, "schema"),
    (0, {}, "--version"),
    (0, {}, "--help"),
]


@pytest.mark.parametrize(
    ("code", "keys", "words"), CASES, ids=[f"{words} {code}" for code, _, words in CASES]
)
def test_a_command_ends_and_says_the_same_started_and_forked(project, code, keys, words):
    """The whole of its output, and its exit code."""
    found = []
    for is_started in (True, False):
        for path in project.root.iterdir():
            subprocess.run(["rm", "-r", path], check=True)
        project.write("tasks.py", "def same(n): return n\ndef broken(n): raise ValueError(f'no good: {n}')\n")
        project.job(**keys)
        project.job("other.yaml", input={"type": "range", "stop": 7})
        found.append(project.runner(*words.split(), is_started=is_started))
    assert [done.code for done in found] == [code, code], found[0].err
    assert shown(project, found[0]) == shown(project, found[1])


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)],
    ids=["INT", "TERM", "KILL"],
)
@pytest.mark.parametrize("is_started", [True, False], ids=["started", "forked"])
def test_a_signal_ends_a_started_and_a_forked_process(project, number, code, is_started):
    """With the code that the kernel reports; another run of the job is locked out until then."""
    project.job(task="tasks.wait", pool={"size": 2})
    with project.kept_waiting(is_started=is_started) as running:
        locked = project.runner("run", "job.yaml", is_started=is_started)
        assert locked.code == 75
        assert f"process {running.process.pid}" in locked.err
        running.signal(number)
        running.until(lambda: number == signal.SIGKILL or number.name in running.err)
        project.let_go()
        assert running.end().code == code


ENDINGS = {
    "a code": "sys.exit(7)",
    "a text": "sys.exit('a last word')",
    "an error": "raise RuntimeError('unexpected')",
    "a last function": "atexit.register(lambda: print('at the end'))",
    "a thread": "threading.Thread(target=lambda: (time.sleep(0.05), print('of a thread'))).start()",
    "a daemon": "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    "an open file": "sys.modules['kept'] = open('kept.txt', 'w'); sys.modules['kept'].write('kept')",
    "a signal": "signal.signal(signal.SIGTERM, signal.SIG_DFL); os.kill(os.getpid(), signal.SIGTERM)",
    "at once": "os._exit(9)",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_interpreter_shuts_down_the_same_started_and_forked(project, ending):
    """With what is left at the end: threads, functions for the end, files; or with none of these."""
    code = f"import atexit, os, signal, sys, threading, time\n{ENDINGS[ending]}\nROWS = [1]\n"
    project.write("ending.py", code)
    project.job(input={"type": "python", "call": "ending.ROWS"})
    found = []
    for is_started in (True, False):
        project.write("kept.txt", "")
        done = project.runner("plan", "job.yaml", is_started=is_started)
        found.append((done.code, shown(project, done), project.read("kept.txt")))
    assert found[0] == found[1]


def test_the_console_script_and_the_module_are_the_same(project):
    """What is installed as `runner` beside the interpreter says what `python -m runner` says."""
    script = Path(sys.executable).with_name("runner")
    for words in (["--version"], ["validate", "no-such.yaml"]):
        done = subprocess.run(
            [script, *words],
            cwd=project.root,
            env=project.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        module = project.runner(*words, is_started=True)
        assert (done.returncode, done.stdout, done.stderr) == (module.code, module.out, module.err)


@pytest.mark.parametrize(
    ("environ", "file", "needs"),
    [
        ({}, "tasks.py", False),
        ({"PYTHONDONTWRITEBYTECODE": "1", "TZ": "UTC", "TERM": "xterm"}, "data.csv", False),
        ({"PYTHONIOENCODING": "ascii"}, "tasks.py", True),
        ({"PYTHONPATH": "/elsewhere"}, "tasks.py", True),
        ({"LC_ALL": "C"}, "tasks.py", True),
        ({}, "yaml.py", True),
        ({}, "json/__init__.py", True),
        ({}, "sitecustomize.py", True),
    ],
)
def test_what_a_start_would_notice_is_started(project, environ, file, needs):
    """An environment that the interpreter reads, a file with the name of a module that is long imported."""
    project.write(file, "")
    assert forked.needs_start(project.root, {**project.environ, **environ}) is needs


def test_a_forked_process_is_waited_for_as_any_other(project):
    """`poll` and `wait` tell of the end once it has come, and a signal after it goes nowhere."""
    project.job(task="tasks.wait")
    with project.kept_waiting() as running:
        assert isinstance(running.process, forked.Process)
        assert running.process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            running.process.wait(0.01)
        with pytest.raises(subprocess.TimeoutExpired):
            running.process.communicate(timeout=0.01)
        project.let_go()
        assert running.process.wait(30) == 0
        running.process.kill()
        assert running.process.poll() == 0
    assert json.loads(project.read("out.jsonl").splitlines()[0]) == 0


def test_much_goes_through_the_pipes_of_a_forked_process(project):
    """More than the pipes hold, both ways at once."""
    data = b"".join(b'{"n": %d}\n' % number for number in range(50_000))
    project.job(input={"type": "jsonl", "path": "-"}, output={"type": "jsonl", "path": "-"})
    done = project.run(stdin=data)
    assert done.code == 0, done.err
    assert done.out.encode() == data.replace(b" ", b"")
