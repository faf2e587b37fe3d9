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


def test_if_exists_fail_refuses_before_anything_runs(marking):
    """Exit 3, and the file stands."""
    marking.write("out.jsonl", "old\n")
    marking.job(task="marking.it", output={"type": "jsonl", "path": "out.jsonl", "if_exists": "fail"})
    done = marking.run()
    assert done.code == 3
    assert "out.jsonl exists" in done.err
    assert marking.read("out.jsonl") == "old\n"
    assert_nothing_ran(marking, done)


def test_if_exists_skip_is_done_without_running(marking):
    """Exit 0, and the file stands."""
    marking.write("out.jsonl", "old\n")
    marking.job(task="marking.it", output={"type": "jsonl", "path": "out.jsonl", "if_exists": "skip"})
    done = marking.run()
    assert done.code == 0
    assert "skip" in done.err
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
