"""Outputs that cannot or must not be written: nothing runs, and what stands there stands."""

from __future__ import annotations

import os
import stat

import pytest

MARKING = "from pathlib import Path\ndef it(n):\n    Path('ran').touch()\n    return n\n"


@pytest.fixture
def marking(project):
    """Give a project whose task leaves a mark when it is called."""
    project.write("marking.py", MARKING)
    return project


def assert_nothing_ran(project, done) -> None:
    """No task was called and no traceback was shown."""
    assert "Traceback" not in done.err
    assert "bug" not in done.err
    assert not project.has("ran")


@pytest.mark.parametrize("key", ["output.path", "failures.dead_letter"])
def test_a_folder_in_place_of_an_output_is_a_fault_of_the_job_file(marking, key):
    """Exit 78 at the key, before the first item."""
    (marking.root / "folder").mkdir()
    marking.job(task="marking.it", failures={"tolerate": 0})
    done = marking.run("--set", f"{key}=folder")
    assert done.code == 78
    assert "director" in done.err
    assert key in done.err
    assert_nothing_ran(marking, done)


@pytest.mark.parametrize("name", ["out.jsonl", "./out.jsonl", "link.jsonl"])
def test_dead_letters_in_the_output_are_a_fault(marking, name):
    """Exit 78, also where the two paths are only written differently."""
    (marking.root / "link.jsonl").symlink_to("out.jsonl")
    marking.job(task="marking.it", failures={"dead_letter": name})
    done = marking.run()
    assert done.code == 78
    assert "must not be the output" in done.err
    assert_nothing_ran(marking, done)


@pytest.mark.parametrize("key", ["output.path", "failures.dead_letter"])
def test_what_is_no_regular_file_is_not_replaced(marking, key):
    """A pipe or a device (`/dev/null`!) as output is refused: renaming a file over it would destroy it."""
    os.mkfifo(marking.root / "pipe")
    marking.job(task="marking.it", failures={"tolerate": 0})
    done = marking.run("--set", f"{key}=pipe")
    assert stat.S_ISFIFO((marking.root / "pipe").stat().st_mode)
    assert done.code == 78
    assert_nothing_ran(marking, done)


@pytest.mark.parametrize(
    ("flag", "codes"),
    [
        (f"output.path={'x' * 300}", (4, 78)),
        (f"failures.dead_letter={'x' * 300}", (4, 78)),
        ("output.path=loop", (4, 78)),
        ("output.path=tasks.py/out.jsonl", (4, 78)),
    ],
    ids=["long-output", "long-dead-letter", "loop", "below-a-file"],
)
def test_a_path_that_cannot_exist_is_no_bug_of_ours(marking, flag, codes):
    """Too long, a link to itself, below a file: a sentence about the path, no traceback."""
    (marking.root / "loop").symlink_to("loop")
    marking.job(task="marking.it", failures={"tolerate": 0})
    done = marking.run("--set", flag)
    assert done.code in codes
    assert_nothing_ran(marking, done)


def test_a_dead_letter_path_with_nul_is_no_bug_of_ours(marking):
    """A path that no system takes is a fault of the job file."""
    marking.job(task="marking.it", failures={"dead_letter": "a\0b"})
    done = marking.run()
    assert done.code == 78
    assert_nothing_ran(marking, done)


@pytest.mark.parametrize("mode", [0o555, 0o000], ids=["read-only", "closed"])
def test_a_folder_without_the_right_to_write_is_named(marking, mode):
    """Exit 4 before the first item, whether or not the folder may be looked into."""
    folder = marking.root / "closed"
    folder.mkdir()
    folder.chmod(mode)
    marking.job(task="marking.it", output={"type": "jsonl", "path": "closed/out.jsonl"})
    done = marking.run(is_bound=True)
    folder.chmod(0o755)
    assert done.code == 4
    assert "Permission denied" in done.err
    assert "closed" in done.err
    assert_nothing_ran(marking, done)


def test_dead_letters_that_cannot_be_written_stop_the_run_before_it_begins(marking):
    """Each published file is staged beside its own final path, which is tried first."""
    folder = marking.root / "closed"
    folder.mkdir(mode=0o555)
    marking.job(task="marking.it", failures={"dead_letter": "closed/dead.jsonl"})
    done = marking.run(is_bound=True)
    assert done.code == 4
    assert_nothing_ran(marking, done)


def test_a_compressed_name_for_dead_letters_is_no_silent_plain_text(project):
    """`dead.jsonl.gz` is either refused or really compressed."""
    project.job(failures={"dead_letter": "dead.jsonl.gz"})
    done = project.run()
    if done.code == 0:
        assert (project.root / "dead.jsonl.gz").read_bytes()[:2] == b"\x1f\x8b"
    else:
        assert done.code == 78


def test_if_exists_replace_replaces_at_the_end(project):
    """The start names the file that will go."""
    project.write("out.jsonl", "old\n")
    project.job()
    done = project.run()
    assert done.code == 0
    assert "replace" in done.err
    assert len(project.lines("out.jsonl")) == 6


@pytest.mark.parametrize(
    ("if_exists", "code", "phrase"), [("fail", 3, "out.jsonl exists"), ("skip", 0, "skip")]
)
def test_if_exists_ends_before_anything_runs(marking, if_exists, code, phrase):
    """`fail` with exit 3, `skip` with exit 0; the file stands."""
    marking.write("out.jsonl", "old\n")
    marking.job(task="marking.it", output={"type": "jsonl", "path": "out.jsonl", "if_exists": if_exists})
    done = marking.run()
    assert done.code == code
    assert phrase in done.err
    assert marking.read("out.jsonl") == "old\n"
    assert_nothing_ran(marking, done)


def test_limit_never_replaces_an_output(marking):
    """Exit 3: a trial run must not take the place of a whole one."""
    marking.write("out.jsonl", "old\n")
    marking.job(task="marking.it")
    done = marking.run("--limit", "2")
    assert done.code == 3
    assert "--limit" in done.err
    assert marking.read("out.jsonl") == "old\n"
    assert_nothing_ran(marking, done)


def test_a_link_in_place_of_the_work_folder_is_not_followed(marking, tmp_path):
    """Nothing behind a link that somebody else has put there is touched: exit 4."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for name in ("out", "dead", "ck"):
        (theirs / name).write_text("precious")
    (marking.root / ".out.jsonl.run").symlink_to(theirs)
    marking.job(task="marking.it")
    done = marking.run()
    assert done.code == 4, done.err
    assert "in the way" in done.err
    assert sorted(path.name for path in theirs.iterdir()) == ["ck", "dead", "out"]
    assert_nothing_ran(marking, done)


def test_dead_letters_of_another_job_are_not_replaced_without_a_word(project):
    """Each job for itself is right; `run` and `plan` meet the file that the other one has written."""
    for name, item in (("one", 1), ("other", 3)):
        project.job(
            f"{name}.yaml",
            name=name,
            input={"type": "items", "items": [item]},
            task="tasks.odd_ones_fail",
            failures={"tolerate": 1, "dead_letter": "failed.jsonl"},
            output={"type": "jsonl", "path": f"{name}.jsonl"},
        )
    told = "will replace the dead letters of job `one`"
    assert "warning" not in project.run(job="one.yaml").err
    assert "warning" not in project.run(job="one.yaml").err  # its own
    assert told in project.runner("plan", "other.yaml").err
    replacing = project.run(job="other.yaml")
    assert (replacing.code, told in replacing.err) == (0, True)
    assert "warning" not in project.run(job="other.yaml").err  # theirs are gone
    assert "dead letters of job `other`" in project.run(job="one.yaml").err
    project.write("failed.jsonl", "")
    assert "warning" not in project.run(job="other.yaml").err


OURS = """
def same(item):
    return item

def even(item):
    if int(item) % 2:
        raise ValueError("odd")
    return item
"""


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ({"output": {"type": "text", "path": "job.yaml"}}, "this job file"),
        ({"output": {"type": "text", "path": "ours.py"}}, "ours.py, code that this job is made of"),
        ({"output": {"type": "text", "path": "config.yaml"}}, "the settings of the runner"),
        ({"output": {"type": "text", "path": "link.txt"}}, "a file of the input"),
        ({"failures": {"dead_letter": "in.txt"}}, "a file of the input"),
        (
            {"input": {"type": "files", "path": "*.txt"}, "output": {"type": "text", "path": "in.txt"}},
            "input",
        ),
    ],
)
def test_a_run_never_writes_to_a_file_that_it_reads(project, keys, what):
    """Exit 78 before anything is written, plan included; whatever name leads there."""
    project.write("ours.py", OURS)
    project.write("in.txt", "1\n2\n")
    (project.root / "link.txt").symlink_to("in.txt")
    project.job(**{"input": {"type": "text", "path": "in.txt"}, "task": "ours.same", **keys})
    before = {path.name: path.read_bytes() for path in project.root.iterdir() if path.is_file()}
    for command in ("run", "plan"):
        done = project.runner(command, "job.yaml")
        assert done.code == 78, done.err
        assert what in done.err
        assert "write to another file" in done.err
    after = {path.name: path.read_bytes() for path in project.root.iterdir() if path.is_file()}
    assert after == before


@pytest.mark.parametrize("name", ["job.yaml", "in.txt", "ours.py"])
def test_a_log_never_goes_to_a_file_that_the_run_reads(project, name):
    """Exit 2; the file is as it was."""
    project.write("ours.py", OURS)
    project.write("in.txt", "1\n2\n")
    project.job(input={"type": "text", "path": "in.txt"}, task="ours.same")
    before = project.read(name)
    done = project.run("--log-file", name)
    assert done.code == 2
    assert "--log-file is" in done.err
    assert project.read(name) == before


def test_an_output_of_the_input_s_own_folder_is_refused_once_a_glob_takes_it(project):
    """The first run makes it; the second would read what the first wrote."""
    project.write("data/a.txt", "1\n")
    project.job(input={"type": "text", "path": "data/*.txt"}, output={"type": "text", "path": "data/all.txt"})
    assert project.run().code == 0
    again = project.run()
    assert again.code == 78
    assert "a file of the input" in again.err
    assert project.read("data/all.txt") == "1\n"


def test_dead_letters_of_dead_letters_may_take_their_place(project):
    """What fails once more is all that is left to do."""
    project.write("ours.py", OURS)
    project.write("in.txt", "1\n2\n3\n")
    keys = {"task": "ours.even", "failures": {"tolerate": "all", "dead_letter": "bad.jsonl"}}
    project.job(input={"type": "text", "path": "in.txt"}, **keys)
    assert project.run().code == 0
    project.job("again.yaml", input={"type": "dead_letter", "path": "bad.jsonl"}, **keys)
    assert project.run(job="again.yaml").code == 0
    assert len(project.lines("bad.jsonl")) == 2


@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
def test_what_a_process_has_open_is_no_output(project, path):
    """Its file would be replaced: with `>> year.jsonl`, all of the year."""
    (project.root / "link").symlink_to("/dev/stdout")
    project.job(output={"type": "jsonl", "path": path})
    done = project.run()
    assert done.code == 78, done.err
    assert "standard output is `-`" in done.err
    project.job()
    flagged = project.run("--set", f"output.path={path}")
    assert f"--set output.path={path}" in flagged.err


@pytest.mark.parametrize(
    ("flags", "output", "why"),
    [
        (["--limit", "1"], {}, "--limit never replaces them"),
        ([], {"if_exists": "fail"}, "`output.if_exists` is `fail`"),
    ],
)
def test_dead_letters_are_kept_where_the_output_would_be(project, flags, output, why):
    """The output was moved away and they were not: exit 3; an empty file is in nobody's way."""
    project.write("ours.py", OURS)
    keys = {"task": "ours.even", "failures": {"tolerate": "all"}}
    project.job(output={"type": "jsonl", "path": "out.jsonl", **output}, **keys)
    assert project.run().code == 0
    (project.root / "out.jsonl").rename(project.root / "kept.jsonl")
    letters = project.read("out.failed.jsonl")
    refused = project.run(*flags)
    assert refused.code == 3
    assert why in refused.err
    assert project.read("out.failed.jsonl") == letters
    project.write("out.failed.jsonl", "")
    assert project.run(*flags).code == 0


@pytest.mark.parametrize("other", [{"failures": {"dead_letter": "bad.jsonl"}}, {"output": "bad.jsonl"}])
def test_two_runs_never_write_the_same_dead_letters(project, other):
    """Also where the outputs differ, and where the one's dead letters are the other's output."""
    keys = {"failures": {"dead_letter": "bad.jsonl"}}
    project.job(task="tasks.wait", **keys)
    path = other.get("output", "other.jsonl")
    more = {key: value for key, value in other.items() if key != "output"}
    project.job("other.yaml", output={"type": "jsonl", "path": path}, **more)
    with project.kept_waiting() as running:
        assert project.run(job="other.yaml").code == 75
        project.let_go()
        assert running.end().code == 0


def test_outputs_that_differ_in_their_suffix_have_dead_letters_of_their_own(project):
    """`prices.jsonl`, `prices.csv` and `prices.csv.gz`, in one folder."""
    project.write("ours.py", OURS)
    for suffix in ("jsonl", "jsonl.gz", "text"):
        kind = suffix.removesuffix(".gz")
        project.job(
            task="ours.even",
            output={"type": kind, "path": f"prices.{suffix}"},
            failures={"tolerate": "all"},
        )
        assert project.run().code == 0
    found = sorted(path.name for path in project.root.glob("prices*failed*"))
    assert found == ["prices.failed.jsonl", "prices.jsonl.gz.failed.jsonl", "prices.text.failed.jsonl"]
    assert all(project.lines(name) for name in found)
