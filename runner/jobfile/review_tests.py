"""What is wrong with `tests:` beside the other blocks: names given twice, parameters that there are not."""

from __future__ import annotations

from collections.abc import Iterator

from runner.jobfile.job_tests import JobTest
from runner.jobfile.model import Job
from runner.jobfile.places import Places
from runner.jobfile.problem import KeyPath, Problem, format_path, nearest
from runner.jobfile.scalar import clip, show_value


def check_tests(job: Job, places: Places) -> list[Problem]:
    """Return what is wrong with the tests of a job whose every value is sound for itself."""
    problems: list[Problem] = []
    names: dict[str, int] = {}
    for number, test in enumerate(job.tests):
        path: KeyPath = ("tests", number)
        if test.name in names:
            message = (
                f"`{format_path((*path, 'name'))}` must be a name of its own, got `{clip(test.name)}` again"
            )
            problems.append(places.problem("bad-value", message, (*path, "name")))
        names.setdefault(test.name, number)
        problems += _check_params(job, test, path, places)
        if job.input.values == "text":
            problems += _check_texts(job, test.item, (*path, "item"), places)
    return problems


def _check_params(job: Job, test: JobTest, path: KeyPath, places: Places) -> Iterator[Problem]:
    for name in test.params:
        if name not in job.params:
            near = nearest(name, job.params)
            takes = f"it takes {', '.join(job.params)}" if job.params else "it declares no params"
            hint = f"did you mean `{near}`?" if near else takes
            message = f"this job has no parameter `{clip(name)}`"
            yield places.problem("unknown-param", message, (*path, "params", name), is_key=True, hint=hint)


def _check_texts(job: Job, value: object, path: KeyPath, places: Places) -> Iterator[Problem]:
    """Yield a problem for each value that this input could never give: it has nothing but text."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _check_texts(job, inner, (*path, key), places)
    elif not isinstance(value, str):
        kind = job.input.model_dump().get("type")
        must = f"must be text, as every value of a {kind} input is"
        message = f"`{format_path(path)}` {must}, got {show_value(value)}"
        yield places.problem("wrong-type", message, path, hint=_quoted(path, places))


def _quoted(path: KeyPath, places: Places) -> str | None:
    span = places.document.value_span(path)
    written = places.document.line(span.line)[span.column - 1 : span.end_column - 1]
    is_plain = span.line == span.end_line and written and written[0] not in "[{\"'"
    return f'quote it: "{clip(written)}"' if is_plain and places.flag_of(path) is None else None
