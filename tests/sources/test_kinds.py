"""All kinds of sources, side by side."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runner.options import describe
from runner.sources import KINDS


def test_importing_all_kinds_imports_no_reader_and_no_codec() -> None:
    """What a run needs is imported when its source is opened."""
    script = (
        "import sys, runner.sources\n"
        "print(sorted({'msgspec', 'csv', '_csv', 'zlib', 'gzip', 'bz2', 'lzma', 'difflib'}"
        " & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=root
    )
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_of_every_kind_explains_itself(kind: str) -> None:
    """What stands under a field is what help and editors show of it."""
    schema = KINDS[kind].model_json_schema()
    assert schema["description"]
    assert describe(KINDS[kind]).keys() == KINDS[kind].model_fields.keys()
    assert schema["properties"]["type"]["const"] == kind
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("kind", ["csv", "jsonl", "json", "text", "dead_letter"])
def test_kinds_that_read_files_share_their_keys(kind: str) -> None:
    """`path` takes a text or a list, `max_record_bytes` a size."""
    schema = KINDS[kind].model_json_schema()
    assert {"path", "max_record_bytes"} <= schema["properties"].keys()
    assert {choice["type"] for choice in schema["properties"]["path"]["anyOf"]} == {"string", "array"}
