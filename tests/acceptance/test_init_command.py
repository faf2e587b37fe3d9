"""`runner init`: what it writes has no faults and runs, and nothing that stands there is touched."""

from __future__ import annotations

import os

import pytest

OWN = """\
import sys

def price(row: dict[str, str], *, rate: float = 0.92, tags=("a",)) -> dict[str, object]:
    return {"name": row["name"], "euro": round(float(row["dollar"]) * rate, 2)}

if "runner" in sys.modules:
    raise RuntimeError("imported by init")
"""
HONEST = OWN.partition("\nif ")[0]


@pytest.fixture
def empty(project):
    """A project with nothing in it."""
    (project.root / "tasks.py").unlink()
    return project


def snapshot(project):
    """Return every file and what is in it."""
    return {path: path.read_bytes() for path in project.root.rglob("*") if path.is_file()}


def test_an_empty_folder_becomes_an_example_that_runs(empty):
    """All four files, no fault in them, two rows and one dead letter, as its comments say."""
    done = empty.runner("init")
    assert done.code == 0, done.err
    assert {path.name for path in snapshot(empty)} == {"config.yaml", "tasks.py", "items.csv", "job.yaml"}
    for command in (line.split() for line in done.out.splitlines() if line.startswith("  runner")):
        assert empty.runner(*command[1:]).code == (1 if command[1] == "preview" else 0), command
    assert empty.runner("validate", "job.yaml").code == 0
    assert empty.read("out/prices.jsonl").count("\n") == 2
    assert empty.read("out/prices.failed.jsonl").count("\n") == 1


def test_the_example_can_be_put_into_a_new_folder(empty):
    """And the commands to go on with begin with going there."""
    done = empty.runner("init", "new project")
    assert done.code == 0, done.err
    assert "  cd 'new project'\n" in done.out
    assert empty.has("new project/job.yaml")


def test_a_job_for_a_function_and_data_has_no_faults_and_runs(empty):
    """The arguments of the function with their defaults, the input by its suffix, and rows at the end."""
    empty.write("own.py", HONEST)
    empty.write("prices.csv", "name;dollar\ntea;4.20\n")
    words = ("--from", "own.price", "--input", "prices.csv", "-o", "jobs/mine.yaml")
    assert "mark another with an empty config.yaml" in empty.runner("init", *words).err
    empty.write("config.yaml", "")
    done = empty.runner("init", "--from", "own.price", "--input", "prices.csv", "-o", "jobs/mine.yaml")
    assert done.code == 0, done.err
    text = empty.read("jobs/mine.yaml")
    assert 'delimiter: ";"' in text
    assert "rate: 0.92" in text
    assert all("#" in line for line in text.splitlines() if line.startswith(("input:", "task:", "output:")))
    assert empty.runner("run", "jobs/mine.yaml").code == 0
    assert empty.lines("out/mine.jsonl") == [{"name": "tea", "euro": 3.86}]


def test_init_looks_at_code_without_running_it(empty):
    """The module would say so; the job is written all the same, and has no faults."""
    empty.write("own.py", OWN)
    empty.write("prices.csv", "name,dollar\ntea,4.20\n")
    done = empty.runner("init", "--from", "own.price", "--input", "prices.csv")
    assert (done.code, done.err) == (0, "")
    assert empty.runner("validate", "price.yaml").code == 0
    empty.write("own.py", HONEST)
    assert empty.runner("run", "price.yaml").code == 0
    assert empty.read("out/price.jsonl") == '{"name":"tea","euro":3.86}\n'


def test_nothing_needs_to_be_said_where_there_is_one_of_each(empty):
    """One function and one data file in the folder are taken."""
    empty.write("own.py", HONEST)
    empty.write("prices.csv", "name,dollar\ntea,4.20\n")
    done = empty.runner("init")
    assert done.code == 0, done.err
    assert empty.runner("run", "price.yaml").code == 0


def test_an_argument_without_a_default_becomes_a_parameter(empty):
    """The file has no fault, and the commands to go on with give it."""
    empty.write("own.py", "def scale(line: str, *, by: int): return {'n': int(line) * by}\n")
    empty.write("n.txt", "1\n2\n")
    done = empty.runner("init")
    assert "-p by=..." in done.out
    assert empty.runner("validate", "scale.yaml").code == 0
    assert empty.runner("run", "scale.yaml", "-p", "by=3").code == 0
    assert empty.read("out/scale.jsonl") == '{"n":3}\n{"n":6}\n'


def test_a_column_that_is_not_there_is_told_at_once(empty):
    """The file is written: it may be the data that is to be changed."""
    empty.write("own.py", HONEST)
    empty.write("prices.csv", "name,dollars\ntea,4.20\n")
    done = empty.runner("init")
    assert done.code == 0
    assert "wants `dollar` of an item" in done.err
    assert "is it `dollars`?" in done.err


@pytest.mark.parametrize("words", [[], ["--from", "own.price", "--input", "prices.csv", "-o", "job.yaml"]])
def test_nothing_is_overwritten(empty, words):
    """A file in the way is named, and all files are what they were."""
    for name in ("job.yaml", *(["own.py", "prices.csv"] if words else [])):
        empty.write(name, HONEST if name == "own.py" else "name,dollar\n1,2\n")
    before = snapshot(empty)
    done = empty.runner("init", *words)
    assert done.code == 2
    assert "job.yaml" in done.err
    assert snapshot(empty) == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--input", "n.txt"], "--from is missing"),
        (["--from", "own.f"], "--input is missing"),
        (["--from", "own.g", "--input", "n.txt"], "it has f, f2"),
        (["--from", "own.f", "--input", "m.txt"], "m.txt"),
        (["n.txt"], "runner init --input n.txt"),
    ],
    ids=" ".join,
)
def test_what_is_missing_or_wrong_is_said_with_what_to_do(empty, words, says):
    """Exit 2, a sentence, and no file."""
    empty.write("own.py", "def f(item): return item\ndef f2(item): return item\n")
    empty.write("n.txt", "1\n")
    empty.write("o.txt", "1\n")
    before = snapshot(empty)
    done = empty.runner("init", *words)
    assert done.code == 2
    assert says in done.err
    assert "Traceback" not in done.err
    assert snapshot(empty) == before


def test_data_alone_gets_a_function_with_a_field_for_each_column(empty):
    """Whatever the columns are called; it passes every check, and gives each row back."""
    header = ["Item", "Unit Price", "class", "id", "Größe", "1st", "unit_price", "a_" * 30]
    empty.write("sales.csv", f"{','.join(header)}\n{','.join('12345678')}\n")
    done = empty.runner("init")
    assert done.code == 0, done.err
    assert done.err == ""
    assert 'Annotated[str, Field(alias="Unit Price")]' in empty.read("tasks.py")
    assert 'Field(alias="Item")' not in empty.read("tasks.py")
    assert empty.runner("validate", "--import", "--strict", "work.yaml").code == 0
    assert empty.runner("run", "work.yaml").code == 0
    (row,) = empty.lines("out/work.jsonl")
    assert list(row.values()) == list("12345678")


@pytest.mark.parametrize(
    ("name", "content", "row"),
    [
        ("a.jsonl", '{"a b": 1}\n', '{"a b":1}\n'),
        ("a.txt", "one\n", "one\n"),
        ("a.csv", "1,2\n", '{"column_1":"1","column_2":"2"}\n'),
    ],
)
def test_other_data_alone_gets_a_function_too(empty, name, content, row):
    """What it returns is what it was given."""
    empty.write(name, content)
    assert empty.runner("init", "--input", name).code == 0
    assert empty.runner("run", "work.yaml").code == 0
    (output,) = (path for path in empty.root.glob("out/work.*") if ".failed" not in path.name)
    assert output.read_text() == row


def test_a_function_is_only_written_with_a_job(empty):
    """Where one of the two cannot be written, neither is."""
    empty.write("a.csv", "a\n1\n")
    empty.write("work.yaml", "mine")
    before = snapshot(empty)
    assert empty.runner("init").code == 2
    assert empty.runner("init", "--input", "absent.csv").code == 2
    assert snapshot(empty) == before


def test_a_type_whose_fields_are_called_otherwise_is_told_with_the_way_out(empty):
    """The page that it names says how a field takes a column of another name."""
    empty.write(
        "own.py",
        "from dataclasses import dataclass\n@dataclass\nclass Sale:\n    unit_price: float\n"
        "def f(row: Sale): return row.unit_price\n",
    )
    empty.write("a.csv", "Unit Price\n1\n")
    assert "runner explain missing-column" in empty.runner("init").err
    assert 'Field(alias="Unit Price")' in empty.runner("explain", "missing-column").out


def test_text_of_others_stays_text(empty):
    """What looks like a reference, a comment or YAML in names and defaults changes nothing."""
    code = "def odd(row, *, say='${params.x} # {a: [', none=None): return {'said': say, **row}\n"
    empty.write("own.py", code)
    empty.write("t.csv", '"a: b","# c","${x}"\n1,2,3\n')
    done = empty.runner("init")
    assert done.code == 0, done.err
    assert empty.runner("run", "odd.yaml").code == 0
    row = '{"said":"${params.x} # {a: [","a: b":"1","# c":"2","${x}":"3"}\n'
    assert empty.read("out/odd.jsonl") == row


def test_a_file_called_like_standard_input_is_that_file(empty):
    """`./-` stays `./-`; and `-` is standard input."""
    empty.write("own.py", "def f(item): return item\n")
    empty.write("-", "a,b\n1,2\n")
    done = empty.runner("init", "--from", "own.f", "--input", "./-", "-o", "file.yaml")
    assert done.code == 0, done.err
    done = empty.runner("run", "file.yaml", stdin=b"from elsewhere\n")
    assert done.code == 0, done.err
    assert empty.lines("out/file.jsonl") == [{"a": "1", "b": "2"}]
    assert empty.runner("init", "--from", "own.f", "--input", "-", "-o", "stream.yaml").code == 0
    assert 'path: "-"' in empty.read("stream.yaml")


def test_a_name_that_is_not_utf8_is_refused_before_anything_is_written(empty):
    """No job file could hold it; a glob can stand for it."""
    empty.write("own.py", "def f(item): return item\n")
    (empty.root / os.fsdecode(b"x\xff.csv")).write_text("a,b\n1,2\n")
    before = snapshot(empty)
    for words in (["--input", b"x\xff.csv"], []):
        done = empty.runner("init", "--from", "own.f", *words, "-o", "job.yaml")
        assert done.code == 2
        assert r"b'x\xff.csv' is no name in UTF-8" in done.err
        assert "Traceback" not in done.err
        assert snapshot(empty) == before
    assert empty.runner("init", "--from", "own.f", "--input", "x*.csv", "-o", "job.yaml").code == 0
    assert empty.runner("run", "job.yaml").code == 0
    assert empty.lines("out/job.jsonl") == [{"a": "1", "b": "2"}]


def test_a_job_file_whose_name_is_not_utf8_can_be_typed(empty):
    """What is shown of it is what a shell takes."""
    empty.write("own.py", "def f(item): return item\n")
    empty.write("n.txt", "1\n")
    done = empty.runner("init", "-o", b"j\xff.yaml")
    assert done.code == 0, done.err
    assert r"runner run $'j\xff.yaml'" in done.out
    done = empty.runner("run", b"j\xff.yaml")
    assert done.code == 0, done.err
