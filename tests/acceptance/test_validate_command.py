"""`runner validate`: every fault of files and folders at once, for people and for machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
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
    project.write("config.yaml", "{}\n")
    project.job("jobs/good.yaml")
    project.job("jobs/deep/bad.yml", colour="red")
    for name in ("jobs/good.yaml", "jobs/deep/bad.yml"):
        keys = json.loads(project.read(name))
        project.write(name, "".join(f"{key}: {json.dumps(value)}\n" for key, value in keys.items()))
    project.write("jobs/settings.yaml", "tasks: {allow: []}\n")
    project.write("jobs/.hidden/bad.yaml", "input: 1\ntask: 2\n")
    done = project.runner("validate", "jobs", "--format", "concise")
    assert done.code == 1
    assert [line.split(":")[0] for line in done.out.splitlines() if "error[" in line] == ["jobs/deep/bad.yml"]
    assert "1 other YAML file passed over" in done.err


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


WRITES = (
    "from pathlib import Path\nPath(__file__).with_name('imported').touch()\ndef it(n, *, size): return n\n"
)


@pytest.mark.parametrize("form", ["text", "concise", "json", "github", "sarif"])
def test_a_strangers_code_is_never_run(project, form):
    """Neither the task, nor its package, nor exceptions, nor what makes the items; in any format."""
    for name in (
        "package/__init__.py",
        "package/tasks.py",
        "errors.py",
        "made.py",
        "sitecustomize.py",
        "yaml.py",
    ):
        project.write(name, WRITES)
    project.job(
        task={"call": "package.tasks.it", "with": {"sise": 1}},
        input={"type": "python", "call": "made.it"},
        retry={"attempts": 2, "errors": ["errors.Busy"]},
    )
    done = project.runner("validate", ".", "job.yaml", "--only-jobs", "--format", form)
    assert done.code == 1, done.err
    for code in ("unknown-argument", "unknown-exception"):
        assert code in done.out
    assert not list(project.root.rglob("imported"))
    assert not list(project.root.rglob("__pycache__"))


def test_import_checks_for_real(project):
    """What only running the module can tell: a decorator changed the signature, the import fails."""
    project.write(
        "tasks.py",
        "print('hello')\nimport functools\n"
        "def hide(f):\n    def g(item, *, depth): return item\n    return g\n"
        "@hide\ndef it(item): return item\n",
    )
    project.write("sub/config.yaml", "{}\n")
    project.write("sub/tasks.py", "raise RuntimeError('not today')\ndef it(item): return item\n")
    project.job("a.yaml", task="tasks.it")
    project.job("sub/b.yaml", task="tasks.it")
    assert project.runner("validate", "a.yaml", "sub/b.yaml").code == 0
    done = project.runner("validate", "a.yaml", "sub/b.yaml", "--import", "--format", "json")
    assert done.code == 1
    assert [(each["file"], each["code"]) for each in json.loads(done.out)] == [
        ("a.yaml", "missing-argument"),
        ("sub/b.yaml", "import-failed"),
    ]
    assert "hello" in done.err


def test_warnings_fail_only_where_that_is_asked_for(project):
    """And never for what this machine lacks."""
    project.job("warned.yaml", failures={"tolerate": "all"})
    project.job("unset.yaml", name="b", output={"type": "jsonl", "path": "${env.NOT_SET_HERE}.jsonl"})
    assert project.runner("validate", "warned.yaml").code == 0
    strict = project.runner("validate", "warned.yaml", "--strict")
    assert strict.code == 1
    assert "warning[tolerates-all]" in strict.out
    unset = project.runner("validate", "unset.yaml", "--strict")
    assert unset.code == 0
    assert "unset-env" in unset.out


def test_a_comment_keeps_a_warning_quiet_and_is_counted(project):
    """A reviewer sees that something was waved through, and a tool sees why."""
    text = "version: 1\nname: a\ninput: {type: range, stop: 3}\ntask: tasks.same\n"
    project.write("job.yaml", text + "failures: {tolerate: all}  # runner: ignore[tolerates-all] a probe\n")
    done = project.runner("validate", "job.yaml", "--strict")
    assert done.code == 0
    assert "1 warning ignored by comments" in done.err
    log = json.loads(project.runner("validate", "job.yaml", "--format", "sarif").out)
    (result,) = log["runs"][0]["results"]
    assert result["suppressions"][0]["justification"] == "a probe"


def test_standard_input_is_a_job_file(project):
    """As an editor sends what is not saved yet; it has the root of the file that it stands for."""
    project.write("sub/config.yaml", "{}\n")
    project.write("sub/own.py", "def it(item): return item\n")
    text = b"version: 1\nname: a\ninput: {type: range, stop: 3}\ntask: own.it\n"
    assert project.runner("validate", "-", "--stdin-filename", "sub/a.yaml", stdin=text).code == 0
    done = project.runner("validate", "-", "--format", "concise", stdin=text)
    assert done.code == 1
    assert done.out.startswith("<stdin>:4:7: error[module-missing]")


def test_jobs_that_get_in_the_way_of_each_other_are_named(project):
    """Each is right alone."""
    for name in ("a", "b"):
        project.job(f"{name}.yaml", name=name, output={"type": "jsonl", "path": "out/same.jsonl"})
        assert project.runner("validate", f"{name}.yaml").code == 0
    done = project.runner("validate", "a.yaml", "b.yaml", "--format", "concise")
    assert "b.yaml" in done.out
    assert "same-output" in done.out
    assert "a.yaml writes too" in done.out


def test_faulty_settings_hide_no_fault_of_a_job(project):
    """They are one more thing to mend."""
    project.write("config.yaml", "taks: {}\n")
    project.job(colour="red")
    done = project.runner("validate", "job.yaml", "--format", "concise")
    assert [line.split(":")[0].rpartition("/")[2] for line in done.out.splitlines()] == [
        "config.yaml",
        "job.yaml",
    ]


def test_the_schema_is_printed_as_it_is_committed(project):
    """`runner schema > job.schema.json` is what editors get."""
    committed = Path(__file__).resolve().parents[2] / "docs" / "job.schema.json"
    assert project.runner("schema").out == committed.read_text("utf-8")


def test_a_page_is_explained(project):
    """On standard output; a near miss is told what there is, with exit code 2."""
    done = project.runner("explain", "unknown-key")
    assert done.code == 0
    assert done.out.startswith("unknown-key: an error\n")
    miss = project.runner("explain", "pool.sizes")
    assert (miss.code, miss.out) == (2, "")
    assert "did you mean pool.size?" in miss.err


def test_the_hook_looks_at_the_job_files_of_a_commit_alone(project):
    """As pre-commit calls it: with every YAML file, where none of the project's packages is installed."""
    (hook,) = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text("utf-8"))
    program, *words = hook["entry"].split()
    assert program == "runner"
    project.job(
        "good.yaml", task="installed.elsewhere.work", retry={"attempts": 2, "errors": ["requests.HTTPError"]}
    )
    project.job("near.yaml", name="near", task="task.same")
    project.job("bad.yaml", name="bad", task="tasks.absent", output={"type": "none"})
    project.write("compose.yaml", "services: {}\n")
    done = project.runner(*words, "good.yaml", "compose.yaml")
    assert (done.code, done.out) == (0, "")
    assert "1 other YAML file passed over" in done.err
    bad = project.runner(*words, "good.yaml", "near.yaml", "bad.yaml", "compose.yaml", "--format", "concise")
    assert bad.code == 1
    errors = [line for line in bad.out.splitlines() if "error[" in line]
    assert [line.partition("error[")[2].partition("]")[0] for line in errors] == [
        "module-missing",
        "attribute-missing",
    ]
