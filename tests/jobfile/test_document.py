"""Reading YAML: what values mean, where they stand, and what is refused."""

from __future__ import annotations

import math

import pytest
import yaml

from runner.jobfile import Span, read_document
from runner.jobfile.document import MAX_BYTES, read_value
from runner.jobfile.scalar import UnreadableValue, read_scalar

PARSERS = [pytest.param(yaml.CSafeLoader, id="libyaml"), pytest.param(yaml.SafeLoader, id="pure")]


def codes(document):
    """Return the codes of a document's problems."""
    return [problem.code for problem in document.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("12:30", "12:30"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("2026-01-31", "2026-01-31"),
        ("=", "="),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-12", -12),
        ("0o17", 15),
        ("0xFF", 255),
        ("0b11", "0b11"),
        ("0.5", 0.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", -math.inf),
        (".Inf", math.inf),
        (".", "."),
        ("1.2.3", "1.2.3"),
    ],
)
def test_scalars_are_read_by_the_core_schema(text, value):
    """Only true, false, null and numbers are not text."""
    read = read_scalar(text)
    assert read == value
    assert type(read) is type(value)


def test_nan_is_a_number():
    """`.nan` is the one number that is not equal to itself."""
    assert math.isnan(read_scalar(".nan"))


@pytest.mark.parametrize("text", ["007", "-012", "00", "00.5", "09"])
def test_a_leading_zero_is_refused(text):
    """Readers disagree about such numbers, so the user has to say what is meant."""
    with pytest.raises(UnreadableValue, match="begins with a zero"):
        read_scalar(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [("9" * 5000, "5000 characters is too long"), ("0x" + "f" * 5000, "too long"), ("1e999", "too large")],
)
def test_a_number_that_cannot_be_kept_is_refused(text, message):
    """A value is never changed silently, and none can crash whoever prints it."""
    with pytest.raises(UnreadableValue, match=message):
        read_scalar(text)


@pytest.mark.parametrize("parser", PARSERS)
def test_quoted_and_block_texts_stay_text(parser):
    """Only plain scalars are looked at for what they mean."""
    text = "a: '1'\nb: \"007\"\nc: |\n  true\nd: >-\n  one\n  two\n"
    document = read_document(text, "f", parser=parser)
    assert document.data == {"a": "1", "b": "007", "c": "true\n", "d": "one two"}
    assert not document.problems


@pytest.mark.parametrize("parser", PARSERS)
def test_keys_and_values_know_their_places(parser):
    """Lines and columns are counted from 1, in characters, whatever stands before them."""
    text = (
        'a: "🛫" # note\npool:\n  size: 16\n  list:\n    - x\n    - {y: [1,\n        2]}\nlast: |\n  text\n\n'
    )
    document = read_document(text, "f", parser=parser)
    assert document.value_span(("a",)) == Span(1, 4, 1, 7)
    assert document.key_span(("pool",)) == Span(2, 1, 2, 5)
    assert document.key_span(("pool", "size")) == Span(3, 3, 3, 7)
    assert document.value_span(("pool", "size")) == Span(3, 9, 3, 11)
    assert document.value_span(("pool",)) == Span(3, 3, 7, 12)
    assert document.value_span(("pool", "list", 1, "y")) == Span(6, 11, 7, 11)
    assert document.key_span(("pool", "list", 0)) == Span(5, 7, 5, 8)
    assert document.value_span(("last",)) == Span(8, 7, 9, 7)


def test_a_path_that_does_not_exist_has_the_place_of_its_nearest_ancestor():
    """A missing key is shown at the key it is missing from."""
    document = read_document("task: jobs.f\npool:\n  size: 1\n", "f")
    assert document.key_span(("pool", "window")) == Span(2, 1, 2, 5)
    assert document.value_span(("pool", "window", 0, "x")) == Span(2, 1, 2, 5)
    assert document.value_span(("task", "call")) == Span(1, 7, 1, 13)
    assert document.key_span(("nothing",)) == Span(1, 1, 1, 1)


def test_an_empty_value_has_the_place_of_its_key():
    """There is nothing else to underline."""
    assert read_document("a: 1\npool:\n", "f").value_span(("pool",)) == Span(2, 1, 2, 5)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
def test_line_ends_and_a_byte_order_mark_move_nothing(ending, mark):
    """Places are the same whatever editor saved the file."""
    raw = mark + f"a: 1{ending}b: [x, 007]{ending}".encode()
    document = read_document(raw, "f")
    assert document.data["a"] == 1
    assert document.value_span(("b", 1)) == Span(2, 8, 2, 11)
    assert document.problems[0].line == 2


def test_line_separators_of_unicode_end_no_line():
    """YAML 1.1 counts them as line ends, no editor does."""
    document = read_document('a: "x\u2028y"\nb: 1\n', "f")
    assert document.key_span(("b",)) == Span(2, 1, 2, 2)


@pytest.mark.parametrize("parser", PARSERS)
def test_all_faults_are_found_in_one_reading(parser):
    """A fault that leaves the rest readable does not end the reading."""
    text = "a: 1\na: 2\nb: 007\nc: !x 1\n1: x\nd: &d 1\ne: *d\n<<: {f: 1}\ng: 9\n"
    document = read_document(text, "f", parser=parser)
    assert codes(document) == [
        "duplicate-key",
        "ambiguous-number",
        "yaml-tag",
        "bad-key",
        "yaml-alias",
        "yaml-alias",
        "yaml-alias",
    ]
    assert document.data["a"] == 1
    assert document.data["g"] == 9
    assert [problem.line for problem in document.problems] == [2, 3, 4, 5, 6, 7, 8]


def test_a_value_with_a_fault_is_not_sound():
    """Its later faults would only repeat what has been said."""
    document = read_document("pool:\n  size: 007\n  window: 7\n", "f")
    assert not document.is_sound(("pool", "size"))
    assert document.is_sound(("pool", "window"))


def test_keys_that_python_takes_for_equal_stay_apart():
    """`1` and `true` are one key to Python; here neither is a key."""
    document = read_document("1: x\ntrue: y\nnull: z\n", "f")
    assert codes(document) == ["bad-key"] * 3
    assert document.data == {}


def test_depth_is_bounded():
    """Sixty-four levels are read, the next is refused, and no depth reaches Python's own limit."""
    assert read_document("[" * 64 + "]" * 64, "f").is_readable
    assert codes(read_document("[" * 65 + "]" * 65, "f")) == ["too-deep"]


def test_size_is_bounded():
    """A megabyte is read, a byte more is refused."""
    text = "a: " + "x" * (MAX_BYTES - 3)
    assert read_document(text, "f").is_readable
    assert codes(read_document(text + "x", "f")) == ["file-too-large"]


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "---\n", "~", "null\n"])
def test_an_empty_file_is_no_job_but_can_be_read(text, read):
    """Settings may be empty; a job that is gets a fault, with a line to point at."""
    document = read_document(text, "f")
    assert document.is_readable
    assert document.data is None
    assert [(problem.code, problem.line) for problem in read(document)[1]] == [("empty-file", 1)]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"a: \xff", "not UTF-8: byte 0xff"),
        ("a: 1".encode("utf-16"), "UTF-16"),
        (b"a: \x00", r"no U\+0000"),
        ("a: \ufeff".encode(), r"no U\+FEFF"),
    ],
)
def test_what_is_no_text_is_refused(raw, message):
    """The first character that no text file holds is named and located."""
    document = read_document(raw, "f")
    assert codes(document) == ["bad-encoding"]
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(document.problems[0].message)


def test_a_second_document_is_refused_before_it_is_read():
    """What stands below it is not looked at."""
    document = read_document("a: 1\n---\nb: [\n", "f")
    assert codes(document) == ["second-document"]
    assert document.problems[0].line == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("16", 16),
        ("[a, 1]", ["a", 1]),
        ("{a: 1}", {"a": 1}),
        ('"16"', "16"),
        ("", None),
        ("see: this # and that", "see: this # and that"),
        ("*.csv", "*.csv"),
        ("1%", "1%"),
    ],
)
def test_a_value_of_a_flag_is_a_scalar_unless_it_begins_like_a_list(text, value):
    """A text needs no quotes on the command line, whatever YAML would make of it."""
    assert read_value(text) == value


@pytest.mark.parametrize("text", ["[a", '"a', "{a: *b}", "[1] [2]"])
def test_a_broken_value_of_a_flag_is_told(text):
    """The message is that of the same fault in a file."""
    with pytest.raises(UnreadableValue, match=r"closed|aliases|fit|after|document"):
        read_value(text)
