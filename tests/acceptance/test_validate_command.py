"""`runner validate`: every fault of files and folders at once, for people and for machines."""

from __future__ import annotations

import json
from pathlib import Path

FAULTS = Path(__file__).resolve().parents[1] / "jobfile" / "faults"
KEYS = ["code", "severity", "message", "hint", "file", "line", "column", "end_line", "end_column", "path"]


def test_a_good_file_is_said_to_be_good_without_being_imported(project):
    """Exit 0; no code of the user's has run, and nothing was written."""
    project.write("mark.py", "from pathlib import Path\nPath('imported').touch()\ndef it(n): return n\n")
    project.job(task="mark.it")
    before = sorted(project.root.iterdir())
    done = project.runner("validate", "job.yaml")
    assert done.code == 0
    assert "no faults" in done.err
    assert sorted(project.root.iterdir()) == before


def test_ten_faults_of_one_file_are_all_shown(project):
    """Each at its place, in the order of the file, with a caret and no traceback."""
    project.write("job.yaml", (FAULTS / "ten-faults.yaml").read_bytes())
    done = project.runner("validate", "job.yaml")
    assert done.code == 1
    assert done.out.count("--> job.yaml:") >= 10
    assert done.out.count("^") >= 10
    for code in ("duplicate-key", "unknown-key", "ambiguous-number", "out-of-range", "yaml-tag"):
        assert f"error[{code}]" in done.out
    assert "Traceback" not in done.out + done.err
    run = project.run()
    assert run.code == 78
    assert run.err.count("--> job.yaml:") == done.out.count("--> job.yaml:")


def test_machines_get_one_list_with_the_documented_keys(project):
    """`--format json` is a list of objects, also where there is nothing to say."""
    project.job("good.yaml")
    project.job("bad.yaml", colour="red")
    done = project.runner("validate", "good.yaml", "bad.yaml", "--format", "json")
    assert done.code == 1
    (problem,) = json.loads(done.out)
    assert list(problem) == KEYS
    assert (problem["code"], problem["file"], problem["severity"]) == ("unknown-key", "bad.yaml", "error")
    good = project.runner("validate", "good.yaml", "--format", "json")
    assert (good.code, json.loads(good.out)) == (0, [])


def test_concise_is_one_line_a_fault(project):
    """file:line:column, as editors and grep read it."""
    project.job("a.yaml", colour="red", taste="sweet")
    done = project.runner("validate", "a.yaml", "--format", "concise")
    assert done.code == 1
    assert [line.split(":")[0] for line in done.out.splitlines()] == ["a.yaml", "a.yaml"]
    assert all(part.isdigit() for line in done.out.splitlines() for part in line.split(":")[1:3])


def test_a_folder_stands_for_the_job_files_in_it(project):
    """Other YAML files and hidden folders are passed over; files in folders below are not."""
    project.job("jobs/good.yaml")
    project.job("jobs/deep/bad.yml", colour="red")
    for name in ("jobs/good.yaml", "jobs/deep/bad.yml"):
        keys = json.loads(project.read(name))
        project.write(name, "".join(f"{key}: {json.dumps(value)}\n" for key, value in keys.items()))
    project.write("jobs/settings.yaml", "tasks: {allow: []}\n")
    project.write("jobs/.hidden/bad.yaml", "input: 1\ntask: 2\n")
    done = project.runner("validate", "jobs", "--format", "concise")
    assert done.code == 1
    assert [line.split(":")[0] for line in done.out.splitlines()] == ["jobs/deep/bad.yml"]


def test_a_folder_may_be_named_in_any_way(project):
    """`..` and a hidden folder on the way to it do not hide the job files in it."""
    project.write(
        "a/.b/jobs/job.yaml", "version: 1\nname: a\ninput: {type: range, stop: 1}\ntask: tasks.same\n"
    )
    project.write("a/.b/jobs/tasks.py", "def same(n): return n\n")
    inside = project.root / "a/.b/jobs"
    for name, cwd in (("../jobs", inside), (str(inside), project.root)):
        done = project.runner("validate", name, cwd=cwd)
        assert done.code == 0, done.err
        assert "no faults in 1 job file" in done.err


def test_what_is_not_there_is_wrong_usage_and_hides_no_fault(project):
    """Exit 2 with the nearest name; the faults of the other files are shown all the same."""
    project.job("bad.yaml", colour="red")
    done = project.runner("validate", "bad.yaml", "bda.yaml")
    assert done.code == 2
    assert "did you mean bad.yaml?" in done.err
    assert "unknown-key" in done.out + done.err


def test_what_is_no_text_is_a_fault_and_no_bug(project):
    """A picture, an empty file and a folder of nothing: a sentence each."""
    project.write("picture.yaml", b"\x89PNG\r\n\x1a\n\0\0\xff")
    project.write("empty.yaml", "")
    (project.root / "nothing").mkdir()
    done = project.runner("validate", "picture.yaml", "empty.yaml")
    assert done.code == 1
    assert "picture.yaml" in done.out
    assert "empty.yaml" in done.out
    folder = project.runner("validate", "nothing")
    assert folder.code == 2
    assert "Traceback" not in done.out + done.err + folder.err


def test_faults_are_shown_also_where_the_terminal_knows_only_ascii(project):
    """A line that the output cannot spell is no reason to fall over."""
    project.write("job.yaml", "version: 1\nname: Ångström …\n")
    done = project.runner("validate", "job.yaml", environ={"PYTHONIOENCODING": "ascii"})
    assert done.code == 1
    assert "--> job.yaml:" in done.out
    assert "Traceback" not in done.err


def test_a_job_that_needs_a_parameter_is_valid_and_not_run(project):
    """`null` as default means that `-p` must be given: to run it, not to review it."""
    project.job(params={"day": None}, input={"type": "jsonl", "path": "${params.day}.jsonl"})
    assert project.runner("validate", "job.yaml").code == 0
    done = project.run()
    assert done.code == 78
    assert "missing-param" in done.err
    assert "day" in done.err
