"""What a command imports: a cheap command must not pay for a dear one (asserted on modules, not on time)."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ["pydantic", "structlog", "yaml", "msgspec", "orjson", "rich", "asyncio", "importlib.metadata"]
PROBE = """
import json, sys
from runner.cli import main
sys.argv = ["runner", *json.loads(sys.argv[1])]
code = main._invoke()
open("modules.json", "w").write(json.dumps([code, sorted(sys.modules)]))
"""


@pytest.fixture
def modules_of(project):
    """Give a function that runs a command and returns the modules that are loaded at its end."""

    def modules_of(*words: str) -> set[str]:
        subprocess.run(
            [sys.executable, "-c", PROBE, json.dumps(words)],
            cwd=project.root,
            env=project.environ,
            capture_output=True,
            timeout=30,
            check=True,
        )
        code, modules = json.loads(project.read("modules.json"))
        assert code == 0
        return set(modules)

    return modules_of


@pytest.mark.parametrize(
    "words",
    [
        ["--version"],
        ["--help"],
        *([command, "--help"] for command in ("run", "validate", "diff", "plan", "preview", "test", "init")),
    ],
    ids=" ".join,
)
def test_help_and_version_import_nothing_heavy(modules_of, words):
    """Neither the validation nor the engine nor a serializer is needed to say what there is."""
    assert modules_of(*words).isdisjoint({*HEAVY, "runner.pipeline", "runner.jobfile", "concurrent.futures"})


def test_validate_imports_nothing_that_runs(project, modules_of):
    """No logging, no encoder, no terminal library, no engine: they are for `run`."""
    project.job()
    found = modules_of("validate", "job.yaml")
    assert found.isdisjoint({"structlog", "orjson", "msgspec", "rich", "asyncio", "runner.pipeline", "tasks"})


def test_validate_as_json_imports_the_encoder_and_no_more(project, modules_of):
    """`--format json` is the one case in which validating needs to write JSON."""
    project.job()
    found = modules_of("validate", "job.yaml", "--format", "json")
    assert found.isdisjoint({"structlog", "msgspec", "rich", "asyncio", "runner.pipeline", "tasks"})


@pytest.mark.parametrize(
    "flags", [[], ["--format", "json"], ["--format", "markdown"], ["--textconv"]], ids=" ".join
)
def test_diff_imports_nothing_that_runs(project, modules_of, flags):
    """It reads two files: `git diff` calls it once for each side of each file."""
    project.job()
    found = modules_of("diff", "job.yaml", *(["job.yaml"] if flags != ["--textconv"] else []), *flags)
    assert found.isdisjoint(
        {"structlog", "orjson", "msgspec", "rich", "asyncio", "runner.pipeline", "subprocess", "tasks"}
    )


def test_run_imports_no_event_loop_and_no_terminal_library_of_its_own(project, modules_of):
    """A job on threads needs neither asyncio nor, in a pipe, rich: only structlog itself brings them."""
    project.job()
    code = "import json, sys, structlog; print(json.dumps(sorted(sys.modules)))"
    alone = subprocess.run(
        [sys.executable, "-c", code], env=project.environ, capture_output=True, timeout=30, check=True
    )
    found = modules_of("run", "job.yaml") - set(json.loads(alone.stdout))
    assert found.isdisjoint({"rich", "rich.live", "asyncio", "concurrent.futures"})


def test_the_package_imports_nothing_of_itself(project):
    """`import runner` loads neither the engine nor anything else that it names."""
    code = "import sys; import runner; print([m for m in sys.modules if m.startswith('runner.')])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=project.environ, capture_output=True, timeout=30, check=True
    )
    assert done.stdout == b"[]\n"


@pytest.mark.parametrize(
    "words",
    [["validate"], ["plan"], ["preview"], ["diff", "job.yaml"], ["diff", "--textconv"]],
    ids=" ".join,
)
def test_a_command_passes_over_its_imports_when_it_searches_for_garbage(project, words):
    """Modules stay until the end: looking through them again and again took a tenth of the time."""
    project.job()
    code = """
import gc, sys
from runner.cli import main, start

with start.uncollected():
    print(gc.isenabled())
sys.argv = ["runner", *sys.argv[1:], "job.yaml"]
assert main._invoke() == 0
print(gc.isenabled(), any(each is sys.modules["runner.jobfile.model"].Job for each in gc.get_objects()))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=project.root,
        env=project.environ,
        capture_output=True,
        timeout=30,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert (lines[0], lines[-1]) == (b"False", b"True False")
