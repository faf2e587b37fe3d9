"""The faults of a job's callables, at their places in the job file."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runner.config import Config
from runner.errors import ItemRefused
from runner.jobfile import load_job
from runner.review import find_rules, import_factory, import_task, review_task

NOW = datetime(2026, 1, 31, tzinfo=UTC)
TASKS = """\
MADE = 5
def counted(item, *, count: int): return item
def it(item, *, radius=1): return item
def rows(): return [1]
"""


@pytest.fixture
def project(tmp_path, request, monkeypatch):
    """Give a function that loads a job; its module has a name of its own in each test."""
    module = f"review_{abs(hash(request.node.name))}"
    mark = f"from pathlib import Path\nPath({str(tmp_path)!r}, 'imported').touch()\n"
    (tmp_path / f"{module}.py").write_text(mark + TASKS)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def project(task: str = "task: MODULE.it", input_: str = "input: {type: range, stop: 3}", flags=()):
        path = tmp_path / "job.yaml"
        path.write_text(f"version: 1\nname: example\n{input_}\n{task}\n".replace("MODULE", module))
        overrides = [(dotted, text.replace("MODULE", module)) for dotted, text in flags]
        loaded = load_job(path, environ={"TOKEN": "hunter2-hunter2"}, now=NOW, overrides=overrides)
        assert loaded.job is not None, loaded.problems
        return loaded

    project.module = module
    project.imported = tmp_path / "imported"
    yield project
    sys.modules.pop(module, None)


def config(*allow: tuple[str, ...]) -> Config:
    """Return settings with these lists of tasks."""
    return Config(allow=allow, log_level="info", state=Path("/nowhere"))


def test_a_good_task_has_no_faults_and_is_not_imported_for_it(project):
    """Looking is not running."""
    assert review_task(project(), config()) == []
    assert not project.imported.exists()


def test_a_good_task_is_imported_to_be_run(project):
    """What comes back can be called."""
    task, problems = import_task(project(), config())
    assert problems == []
    assert task.open()[0](5) == 5
    assert project.imported.exists()


@pytest.mark.parametrize("look", ["review", "import"])
@pytest.mark.parametrize(
    ("task", "code", "place"),
    [
        ("task: MODULE.ti", "attribute-missing", (4, 7)),
        ("task:\n  call: MODULE.ti", "attribute-missing", (5, 9)),
        ("task: MODULE.MADE", "not-callable", (4, 7)),
        ("task: os.system", "stdlib-task", (4, 7)),
        ("task:\n  call: MODULE.it\n  with: {raduis: 5}", None, (6, 10)),
    ],
)
def test_a_fault_stands_where_it_was_written(project, look, task, code, place):
    """At the path, or at the argument that does not fit; the same with and without importing."""
    loaded = project(task)
    found = review_task(loaded, config()) if look == "review" else import_task(loaded, config())[1]
    if not found and look == "review":
        pytest.skip("this cannot be known without importing")
    assert (found[0].line, found[0].column) == place
    assert found[0].file == str(loaded.path)
    if code is not None:
        assert found[0].code == code


@pytest.mark.parametrize("look", ["review", "import"])
@pytest.mark.parametrize(
    ("task", "flag", "path"),
    [
        ("task: MODULE.it", ("task", "MODULE.ti"), "task.call"),
        ("task: MODULE.it", ("task.call", "MODULE.ti"), "task.call"),
        ("task: {call: MODULE.it}", ("task.call", "MODULE.ti"), "task.call"),
        ("task: MODULE.counted", ("task.with.count", "many"), "task.with.count"),
        ("task: {call: MODULE.counted, with: {count: 1}}", ("task.with.count", "many"), "task.with.count"),
    ],
)
def test_a_fault_of_a_flag_names_the_flag(project, look, task, flag, path):
    """What the file has in its place is not at fault."""
    loaded = project(task, flags=[flag])
    (found,) = review_task(loaded, config()) if look == "review" else import_task(loaded, config())[1]
    assert found.path == path
    assert found.line is None
    assert f"(from --set {flag[0]}=" in found.message


@pytest.mark.parametrize(
    ("written", "dotted", "text"),
    [
        ("", "retry", "{errors: [ERROR]}"),
        ("", "retry.errors", "[ERROR]"),
        ("retry: {attempts: 5}", "retry", "[{errors: [ValueError]}, {errors: [ERROR]}]"),
        ("retry: {attempts: 5}", "retry.errors", "[ERROR]"),
        ("retry: [{attempts: 5}]", "retry", "{errors: [ERROR]}"),
        ("retry: [{attempts: 5}]", "retry.0.errors", "[ERROR]"),
    ],
)
def test_rules_set_by_a_flag_take_the_place_of_the_files(project, written, dotted, text):
    """One rule or a list, whichever the file has; and a fault in them names the flag."""
    task = f"task: MODULE.it\n{written}"
    policy, problems = find_rules(project(task, flags=[(dotted, text.replace("ERROR", "OSError"))]), config())
    assert policy is not None
    assert problems == []
    policy, (problem,) = find_rules(project(task, flags=[(dotted, text.replace("ERROR", "Nope"))]), config())
    assert policy is None
    assert f"`Nope` (from --set {dotted}=" in problem.message


@pytest.mark.parametrize(
    ("task", "input_", "code"),
    [
        ("task: nowhere_installed.it", "input: {type: range, stop: 3}", "module-missing"),
        ("task: MODULE.it", "input: {type: python, call: nowhere_installed.rows}", "module-missing"),
        (
            "task: MODULE.it\nretry: {errors: [nowhere_installed.Busy]}",
            "input: {type: range, stop: 3}",
            "unknown-exception",
        ),
    ],
)
def test_in_a_hook_nothing_is_said_of_modules_that_may_be_installed_elsewhere(project, task, input_, code):
    """`--isolated`: what the tasks need is not here, and only what is in the project can be judged."""
    loaded = project(task, input_)
    assert [problem.code for problem in review_task(loaded, config())] == [code]
    assert review_task(loaded, config(), isolated=True) == []


@pytest.mark.parametrize("task", ["task: MODULE.ti", "task: NEARLY.it", "task: os.system"])
def test_in_a_hook_faults_of_the_project_are_told(project, task):
    """What is in the project, what is nearly the name of a module of it, and the standard library."""
    loaded = project(task.replace("NEARLY", project.module[:-1]))
    assert len(review_task(loaded, config(), isolated=True)) == 1


@pytest.mark.parametrize("look", ["review", "import"])
@pytest.mark.parametrize(
    ("lists", "is_allowed"),
    [
        ([("*",)], True),
        ([("jobs.*",)], False),
        ([()], False),
        ([("*",), ("jobs.*",)], False),
        ([("jobs.*",), ("*",)], False),
        ([("MODULE.*",), ("MODULE.it",)], True),
    ],
    ids=str,
)
def test_a_task_must_be_on_every_list(project, look, lists, is_allowed):
    """An operator's list and a project's; what is refused is never imported."""
    rules = config(*(tuple(p.replace("MODULE", project.module) for p in patterns) for patterns in lists))
    loaded = project()
    found = review_task(loaded, rules) if look == "review" else import_task(loaded, rules)[1]
    assert [problem.code for problem in found] == ([] if is_allowed else ["task-not-allowed"])
    if not is_allowed:
        assert not project.imported.exists()


def test_a_refused_task_is_not_given_back(project):
    """There is nothing to run by mistake."""
    task, problems = import_task(project(), config(("*",), ("jobs.*",)))
    assert task is None
    assert problems


PYTHON = "input:\n  type: python\n  call: MODULE.rows"


def test_other_inputs_have_no_factory(project):
    """A range is made by us."""
    assert import_factory(project(), config()) == (None, [])


def test_the_factory_of_an_input_is_imported(project):
    """What comes back makes the items."""
    factory, problems = import_factory(project(input_=PYTHON), config())
    assert problems == []
    assert list(factory()) == [1]


def test_an_input_is_no_way_around_the_list_of_tasks(project):
    """What makes the items runs code as a task does: the same rules, at its own place."""
    loaded = project(input_=PYTHON)
    factory, problems = import_factory(loaded, config(("jobs.*",)))
    assert factory is None
    (problem,) = problems
    assert (problem.code, problem.path) == ("task-not-allowed", "input.call")
    assert (problem.line, problem.column) == (5, 9)
    assert not project.imported.exists()


@pytest.mark.parametrize("call", ["MODULE.absent", "os.listdir"])
def test_a_faulty_input_is_seen_without_importing(project, call):
    """`validate` looks at what makes the items as it looks at the task."""
    loaded = project(input_=PYTHON.replace("MODULE.rows", call))
    assert [problem.path for problem in review_task(loaded, config())] == ["input.call"]
    assert not project.imported.exists()


def test_a_secret_is_plain_for_the_task_and_masked_in_its_faults(project):
    """The job and a fault know its name; only what is called has its value."""
    loaded = project('task: {call: MODULE.it, with: {radius: "${secret.TOKEN}"}}')
    assert review_task(loaded, config()) == []
    task, problems = import_task(loaded, config())
    assert problems == []
    assert task.with_ == {"radius": "hunter2-hunter2"}
    assert "hunter2" not in repr(task)
    assert "hunter2" not in repr(loaded)


def test_a_fault_that_shows_an_argument_masks_it(project):
    """A machine that reads faults gets them without secrets, too."""
    loaded = project('task: {call: MODULE.counted, with: {count: "${secret.TOKEN}"}}')
    _, (problem,) = import_task(loaded, config())
    assert problem.code == "argument-type"
    assert problem.message == "`count` of `counted` must be int, got '${secret.TOKEN}' (str)"
    (seen,) = review_task(loaded, config())
    assert seen.message == problem.message


TYPED = """\
from __future__ import annotations
from dataclasses import dataclass
from typing import TYPE_CHECKING
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from nowhere import Hidden

@dataclass
class Row:
    id: int
    km: float = 0.0

class Odd(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True)
    half: int = Field(serialization_alias="=half")

def plain(item): return item
def rows(item: int) -> Row: return Row(item)
def to_dict(item) -> dict: return {}
def to_odd(item) -> Odd: ...
def hidden(item: Hidden): return item
def options(item, *, box: Row): return box
"""


@pytest.fixture
def typed(tmp_path, request, monkeypatch):
    """Give a function that loads a job over tasks with types."""
    module = f"typed_{abs(hash(request.node.name))}"
    (tmp_path / f"{module}.py").write_text(TYPED)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def typed(task: str, rest: str = "", input_: str = "{type: range, stop: 3}"):
        path = tmp_path / "job.yaml"
        path.write_text(
            f"version: 1\nname: example\ninput: {input_}\n{task}\n{rest}".replace("MODULE", module)
        )
        loaded = load_job(path, environ={}, now=NOW)
        assert loaded.job is not None, loaded.problems
        return loaded

    yield typed
    sys.modules.pop(module, None)


def test_a_fault_in_an_argument_stands_where_its_value_was_written(typed):
    """Also below the argument; what is missing stands at the mapping that lacks it."""
    job = "task:\n  call: MODULE.options\n  with:\n    box: {ID: 1,\n      km: far}"
    task, problems = import_task(typed(job), config())
    assert task is None
    assert [(p.path, p.line, p.column) for p in problems] == [
        ("task.with.box.id", 7, 5),
        ("task.with.box.km", 8, 11),
    ]
    assert problems[0].message == "`box.id` of `options` is missing; there is `ID`"


def test_what_cannot_be_resolved_is_a_warning(typed):
    """The task can be run."""
    task, problems = import_task(typed("task: MODULE.hidden"), config())
    assert task is not None
    (problem,) = problems
    assert (problem.code, problem.severity, problem.line) == ("not-convertible", "warning", 4)


@pytest.mark.parametrize(
    ("input_", "value"),
    [("{type: text, path: a.txt}", "5"), ("{type: range, stop: 3}", 5), ("{type: items, items: [5]}", 5)],
)
def test_the_input_decides_how_an_item_is_read(typed, input_, value):
    """Text is read as the type, a value of JSON is what it is."""
    task, _ = import_task(typed("task: MODULE.rows", input_=input_), config())
    assert task.convert(value) == 5
    if value == 5:
        with pytest.raises(ItemRefused, match="must be a whole number"):
            task.convert("5")


CSV = "output: {type: csv, path: out.csv}\n"
PLAIN = "output: {type: csv, path: out.csv, formulas: reject}\n"
UNORDERED = "pool: {ordered: false}\n" + CSV
NAMED = "output:\n  type: csv\n  path: out.csv\n  columns: [id, kms]\n"


@pytest.mark.parametrize(
    ("call", "rest", "statically", "imported"),
    [
        ("rows", CSV, None, None),
        ("plain", CSV, None, None),
        ("rows", UNORDERED, None, None),
        ("plain", UNORDERED, ("missing-key", 6, 1), ("missing-key", 6, 1)),
        ("to_dict", UNORDERED, None, ("missing-key", 6, 1)),
        ("to_odd", PLAIN, None, ("missing-key", 5, 1)),
        ("rows", NAMED, None, ("columns-differ", 8, 3)),
        ("plain", NAMED, None, None),
    ],
)
def test_columns_are_known_before_a_row_is(typed, call, rest, statically, imported):
    """Declared, or by the annotation; where they must be known and cannot be, or differ, nothing runs."""
    loaded = typed(f"task: MODULE.{call}", rest)
    for found, expected in (
        (review_task(loaded, config()), statically),
        (import_task(loaded, config())[1], imported),
    ):
        places = [(problem.code, problem.line, problem.column) for problem in found]
        assert places == ([expected] if expected else [])
