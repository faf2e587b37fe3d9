"""What the server of real editors makes of the schema; skipped where it cannot be had from npm."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runner import sources
from tests.npm import Unavailable

from .language_server import Session
from .session import PAGE, RECORD, record

MODELINE = "# yaml-language-server: $schema=docs/job.schema.json\n"
JOB = "version: 1\nname: a\ninput: {type: range, stop: 5}\ntask: a.b\n"

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("yaml-language-server")]


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    """Return a server that is up."""
    try:
        opened = Session()
    except Unavailable as reason:
        pytest.skip(f"no yaml-language-server: {reason}")
    with opened:
        yield opened


def messages(session: Session, text: str) -> list[str]:
    """Return what the server finds wrong with a job file."""
    return [each["message"] for each in session.diagnostics(session.open(MODELINE + text))]


def test_the_recorded_session_is_what_happens(session):
    """The page shows what an editor shows today."""
    match = RECORD.search(PAGE.read_text("utf-8"))
    assert match is not None
    assert record() == match[0]


def test_every_kind_of_input_is_offered_with_its_meaning(session):
    """Not only the first of them, as with a `oneOf`."""
    uri = session.open(f"{MODELINE}version: 1\nname: a\ninput:\n  type: \ntask: a.b\n")
    items = session.complete(uri, 4, 8)
    assert {item["label"] for item in items} == set(sources.KINDS)
    assert all(item["documentation"] for item in items)


def test_the_keys_of_the_chosen_kind_are_offered(session):
    """And none of another."""
    uri = session.open(f"{MODELINE}version: 1\nname: a\ninput:\n  type: csv\n  path: a\n  \ntask: a.b\n")
    labels = {item["label"] for item in session.complete(uri, 6, 2)}
    assert labels == {"append", "columns", "delimiter", "encoding", "header", "max_record_bytes", "quotechar"}


def test_a_good_job_has_no_fault(session):
    """Short forms and references, wherever they may stand."""
    assert messages(session, JOB) == []
    references = 'pool: {size: "${params.n}", ordered: "${params.o}", chunksize: auto}\n'
    short_forms = "rate_limit: 5/s\nretry: {attempts: 2}\nfailures: {tolerate: 1%}\ntimeout: ${params.t}\n"
    assert messages(session, JOB + references + short_forms) == []


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("pool: {chunk_size: 5}\n", "Property chunk_size is not allowed."),
        ("pool: {size: many}\n", "must be 1 to 1024, or a reference: ${...}"),
        ("durability: weak\n", 'Value is not accepted. Valid values: "power", "process".'),
        ("timeout: half an hour\n", "must be a duration, or a reference: ${...}"),
        ("retry: [{attempts: 0}]\n", "Value is below the minimum of 1."),
        ("output: {type: jsonl}\n", 'Missing property "path".'),
    ],
)
def test_a_fault_is_told_once_and_in_plain_words(session, keys, message):
    """One sentence, of the branch that was chosen."""
    assert messages(session, JOB + keys) == [message]
