"""References: what they become, which type it has, and where they may not stand."""

from __future__ import annotations

import pytest


def job_with(text: str, value: str) -> str:
    """Return a job with `value` as an argument of its task."""
    return f"{text}params: {{n: 5, x: 0.5, on: true, who: ann, names: [a, b], nothing: null}}\n".replace(
        "task: jobs.airports.nearest_hub",
        f"task: {{call: jobs.airports.nearest_hub, with: {{value: {value}}}}}",
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"${params.n}"', 5),
        ('"${params.x}"', 0.5),
        ('"${params.on}"', True),
        ('"${params.names}"', ["a", "b"]),
        ('"${params.nothing}"', "given"),
        ('"n is ${params.n}, x ${params.x}, on ${params.on}"', "n is 5, x 0.5, on true"),
        ('"${params.who}${params.who}"', "annann"),
        ('"${env.DAY}"', "monday"),
        ('"${env.EMPTY}"', ""),
        ('"${env.EMPTY:-full}"', "full"),
        ('"${env.NOBODY:-no body}"', "no body"),
        ('"${env.NOBODY:-}"', ""),
        ('"${run.date}"', "2026-01-31"),
        ('"out/${run.date}.csv"', "out/2026-01-31.csv"),
        ('"$${params.n}"', "${params.n}"),
        ('"$$${params.n}"', "$${params.n}"),
        ('"costs 5$"', "costs 5$"),
        ("'${env.TRICKY}'", '"], x: [${params.n}'),
        ('["${params.n}", {deep: "${params.who}"}]', [5, {"deep": "ann"}]),
    ],
)
def test_a_reference_becomes_what_it_refers_to(value, expected, read, job_text):
    """Alone it keeps the type, inside a text it becomes text, and what it brings in is not read again."""
    environ = {"DAY": "monday", "EMPTY": "", "TRICKY": '"], x: [${params.n}'}
    job, problems = read(job_with(job_text, value), environ=environ, params={"nothing": "given"})
    assert not problems
    assert job.task.with_["value"] == expected
    assert type(job.task.with_["value"]) is type(expected)


def test_two_references_to_a_list_do_not_share_it(read, job_text):
    """What a task does to one argument must not reach another."""
    text = job_with(job_text, '["${params.names}", "${params.names}"]')
    first, second = read(text, params={"nothing": "1"})[0].task.with_["value"]
    first.append("c")
    assert second == ["a", "b"]


def test_a_parameter_given_as_a_reference_stays_text(read, job_text):
    """A flag cannot read the environment of the machine that runs the job."""
    job, _ = read(job_with(job_text, '"${params.who}"'), params={"who": "${env.HOME}", "nothing": "1"})
    assert job.task.with_["value"] == "${env.HOME}"


def test_text_of_the_environment_is_read_as_a_number_where_a_key_wants_one(read, job_text):
    """The environment holds nothing but text; `size: ${env.WORKERS:-8}` can only mean the number."""
    text = (
        job_text + 'pool: {size: "${env.WORKERS:-8}", ordered: "${env.ORDERED}", chunksize: "${env.CHUNK}"}\n'
    )
    text += "owner: ${env.WORKERS:-8}\n"
    job, problems = read(text, environ={"ORDERED": "false", "CHUNK": "3"})
    assert not problems
    assert (job.pool.size, job.pool.ordered, job.pool.chunksize, job.owner) == (8, False, 3, "8")


def test_validate_warns_of_an_unset_variable_and_goes_on(read, job_text):
    """A build machine has no production environment; the rest of the file is checked all the same."""
    text = job_text + 'owner: "${env.TEAM}"\npool: {size: "${env.WORKERS}", window: 0}\n'
    _, problems = read(text, strict_env=False)
    assert [(problem.code, problem.severity) for problem in problems] == [
        ("unset-env", "warning"),
        ("unset-env", "warning"),
        ("out-of-range", "error"),
    ]


def test_validate_yields_a_job_although_a_variable_is_not_set(read, job_text):
    """Where the unknown value is a text, the job can be looked at with the reference in its place."""
    job, problems = read(job_text + 'owner: "${env.TEAM}"\n', strict_env=False)
    assert [problem.severity for problem in problems] == ["warning"]
    assert job.owner == "${env.TEAM}"


def test_validate_says_nothing_about_a_parameter_that_a_run_must_give(read, job_text):
    """It is no fault of the file that nobody has given it yet."""
    text = job_text + 'params: {since: null}\nlabels: {since: "${params.since}"}\n'
    assert read(text, strict_env=False)[1] == ()


def test_a_reference_is_underlined_and_not_the_whole_value(read, job_text):
    """In a long path the eye should not have to search."""
    _, problems = read(job_text + "description: from ${params.n} to ${params.m}\nparams: {n: 1}\n")
    assert [(problem.column, problem.end_column) for problem in problems] == [(34, 45)]


def test_a_reference_of_a_folded_text_is_found_on_its_line(read, job_text):
    """Also a text over several lines shows where its reference stands."""
    _, problems = read(job_text + "description: >\n  from here\n  to ${params.m}\n")
    assert [(problem.line, problem.column) for problem in problems] == [(7, 6)]
