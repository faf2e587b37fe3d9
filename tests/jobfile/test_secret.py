"""Secrets of a job file: where they come from, what is refused, and that no model or fault holds a value."""

from __future__ import annotations

import os
import pickle

import pytest

from runner.jobfile import load_job, render_text
from runner.jobfile.fingerprint import fingerprint
from runner.jobfile.secret import MOST_BYTES
from runner.masking import Sealed

from .conftest import NOW

VALUE = "hunter2-hunter2"
JOB = """\
version: 1
name: example
input: {type: range, stop: 3}
task: {call: tasks.it, with: WITH}
output: {type: none}
"""


@pytest.fixture
def load(tmp_path):
    """Return a function that loads a job from `with:` and more lines, in a project of its own."""

    def load(with_: str = '{token: "${secret.T}"}', more: str = "", *, environ=None, **options):
        path = tmp_path / "job.yaml"
        path.write_text(JOB.replace("WITH", with_) + more)
        return load_job(path, environ={"T": VALUE} if environ is None else environ, now=NOW, **options)

    return load


def given(loaded) -> object:
    """Return what the task is given."""
    assert not loaded.problems
    return loaded.secrets.reveal(loaded.job.task.with_)


def faults(loaded) -> list[tuple[str, str]]:
    """Return code and severity of each problem."""
    return [(problem.code, problem.severity) for problem in loaded.problems]


@pytest.mark.parametrize(
    ("with_", "expected"),
    [
        ('{a: "${secret.T}"}', {"a": VALUE}),
        ('{a: "Bearer ${secret.T}, ${params.p} ${secret.U}"}', {"a": f"Bearer {VALUE}, 5 other-secret"}),
        ('{a: [{b: "${secret.T}"}]}', {"a": [{"b": VALUE}]}),
        ('{a: "$${secret.T}"}', {"a": "${secret.T}"}),
        ('{a: "$${secret.T}${secret.T}"}', {"a": "${secret.T}" + VALUE}),
        ('{a: "${params.q}"}', {"a": "${secret.T}"}),
    ],
)
def test_a_task_is_given_plain_text(load, with_, expected):
    """Alone, within a text, however deep; what is no reference of the file stays what it is."""
    loaded = load(
        with_,
        "params: {p: 5, q: x}\n",
        environ={"T": VALUE, "U": "other-secret"},
        params={"q": "${secret.T}"},
    )
    assert given(loaded) == expected


def test_a_flag_refers_to_a_secret_like_the_file(load):
    """`--set` puts a reference where the file could have one."""
    loaded = load("{}", overrides=[("task.with.token", "${secret.T}")])
    assert given(loaded) == {"token": VALUE}


@pytest.mark.parametrize("content", [VALUE, f"{VALUE}\n", f"{VALUE}\r\n"])
def test_a_file_gives_its_text_without_one_line_end(load, tmp_path, content):
    """An editor ends a file with a line end, which is not part of a token."""
    (tmp_path / "token").write_bytes(content.encode())
    assert given(load(more="secrets: {T: {file: token}}\n")) == {"token": VALUE}


def test_only_one_line_end_is_left_out(load, tmp_path):
    """What else is there was meant."""
    (tmp_path / "token").write_text(f"\n{VALUE} \n\n")
    assert given(load(more="secrets: {T: {file: token}}\n")) == {"token": f"\n{VALUE} \n"}


def test_a_place_may_come_from_the_environment(load, tmp_path):
    """As systemd says where its credentials are."""
    (tmp_path / "token").write_text(VALUE)
    more = 'secrets: {T: {file: "${env.HERE}/token"}}\n'
    assert given(load(more=more, environ={"HERE": str(tmp_path)})) == {"token": VALUE}


def test_another_variable_may_hold_a_secret(load):
    """And the one that has the name of the secret is not looked at."""
    more = "secrets: {T: {env: OTHER}}\n"
    assert given(load(more=more, environ={"T": "wrong", "OTHER": VALUE})) == {"token": VALUE}


def test_a_secret_that_is_only_declared_is_masked_too(load):
    """The task may read it by itself."""
    loaded = load("{}", "secrets: {T: {env: T}}\n")
    assert loaded.secrets.mask(VALUE) == "${secret.T}"


def test_nothing_of_a_loaded_job_shows_a_value(load):
    """What forgets about secrets shows a name: `repr`, dumps, pickles, hashes."""
    loaded = load('{a: "x ${secret.T}", b: [{c: "${secret.T}"}]}')
    assert isinstance(loaded.job.task.with_["a"], Sealed)
    shown = [repr(loaded), str(loaded.job), loaded.job.model_dump_json(), repr(loaded.job.model_dump())]
    assert not any("hunter2" in text for text in shown)
    assert b"hunter2" not in pickle.dumps(loaded.job.model_dump())
    assert "x ${secret.T}" in loaded.job.model_dump_json()


def test_the_value_and_the_place_of_a_secret_do_not_count_on_resume(load):
    """Another value is another token for the same work; another secret in an argument is a change."""
    before = fingerprint(load().job, limit=None)
    moved = load(more="secrets: {T: {env: OTHER}}\n", environ={"OTHER": "quite-another"})
    assert fingerprint(moved.job, limit=None) == before
    other = load('{token: "${secret.U}"}', environ={"U": VALUE})
    assert fingerprint(other.job, limit=None) != before


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "token is empty"),
        (b"\n", "token is empty"),
        (b"\xff\xfe12345", "token is no UTF-8 text"),
        (b"x" * (MOST_BYTES + 1), "token has more than 64 KiB"),
    ],
)
def test_a_file_without_a_secret_is_a_fault(load, tmp_path, content, reason):
    """Named with what is wrong, and never shown."""
    (tmp_path / "token").write_bytes(content)
    loaded = load(more="secrets: {T: {file: token}}\n")
    assert faults(loaded) == [("unset-secret", "error")]
    assert loaded.problems[0].message == f"the secret `T` has no value: {reason}"
    assert loaded.problems[0].path == "secrets.T.file"


@pytest.mark.parametrize("strict_env", [True, False])
def test_a_path_from_the_environment_is_not_shown(load, strict_env):
    """Somebody may take the variable of the secret for that of its path."""
    loaded = load(more='secrets: {T: {file: "${env.T}"}}\n', strict_env=strict_env)
    (problem,) = loaded.problems
    assert problem.message == "the secret `T` has no value: ${env.T}: No such file or directory"


@pytest.mark.parametrize("name", ["a\\0b", "x" * 5000])
def test_what_cannot_be_a_path_is_a_fault(load, name):
    """It is cut where it is long."""
    loaded = load(more=f'secrets: {{T: {{file: "{name}"}}}}\n')
    assert faults(loaded) == [("unset-secret", "error")]
    assert len(loaded.problems[0].message) < 200


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_only_a_plain_file_is_read(load, tmp_path, make):
    """A pipe that nobody writes to would hold up the run forever."""
    make(tmp_path / "token")
    loaded = load(more="secrets: {T: {file: token}}\n")
    assert faults(loaded) == [("unset-secret", "error")]


def test_the_largest_file_is_read(load, tmp_path):
    """A chain of certificates is long."""
    (tmp_path / "token").write_text("x" * MOST_BYTES)
    assert given(load(more="secrets: {T: {file: token}}\n")) == {"token": "x" * MOST_BYTES}


@pytest.mark.parametrize("value", [None, "", "\udcff12345"])
def test_a_variable_without_a_secret_is_a_fault(load, value):
    """Not set, empty, or bytes that are no text."""
    loaded = load(environ={} if value is None else {"T": value})
    assert faults(loaded) == [("unset-secret", "error")]
    assert loaded.job is None


def test_validate_warns_and_gives_a_job(load):
    """A build machine has no secrets; the rest of the file is checked all the same."""
    loaded = load(environ={}, strict_env=False)
    assert faults(loaded) == [("unset-secret", "warning")]
    assert loaded.job.task.with_ == {"token": "${secret.T}"}


def test_validate_reads_no_secret(load, tmp_path, monkeypatch):
    """It looks whether the file is there, and the value is in nothing that it returns."""
    (tmp_path / "token").write_text(VALUE)
    opened = []
    real = os.open
    monkeypatch.setattr(
        os, "open", lambda path, *rest, **named: opened.append(path) or real(path, *rest, **named)
    )
    loaded = load(more="secrets: {T: {file: token}}\n", strict_env=False)
    assert not loaded.problems
    assert opened == []
    assert loaded.secrets.mask(VALUE) == VALUE


@pytest.mark.parametrize("strict_env", [True, False])
def test_a_short_secret_is_a_warning(load, tmp_path, strict_env):
    """It cannot be masked; of a file `validate` knows that by its size."""
    (tmp_path / "token").write_text("1234\n")
    for more in ("", "secrets: {T: {file: token}}\n"):
        loaded = load(more=more, environ={"T": "1234"}, strict_env=strict_env)
        assert faults(loaded) == [("short-secret", "warning")]
        assert loaded.job is not None


@pytest.mark.parametrize(
    "secrets",
    [
        f"{{T: {VALUE}}}",
        f"{{T: {{value: {VALUE}}}}}",
        f"{{T: [{VALUE}]}}",
        f"{{T: {{env: {VALUE}}}}}",
        VALUE,
        f"\n  T: |\n    {VALUE}\n  no-name: {{env: T}}",
    ],
)
def test_a_secret_written_into_the_file_is_refused_and_not_shown(load, secrets):
    """The line of the fault is shown, with stars for the value."""
    loaded = load(more=f"secrets: {secrets}\n", overrides=[("secrets.U", VALUE)])
    assert loaded.job is None
    shown = render_text(loaded.problems, {str(loaded.path): loaded.text})
    assert "hunter2" not in shown
    assert len(loaded.text) == len(loaded.document.text)
    assert "secrets" in shown


@pytest.mark.parametrize("name", ["no-name", "1st", "a.b", "", "é"])
def test_names_of_secrets_are_those_of_variables(load, name):
    """Another one could not be referred to."""
    loaded = load("{}", f'secrets: {{"{name}": {{env: T}}}}\n')
    assert faults(loaded) == [("bad-value", "error")]
