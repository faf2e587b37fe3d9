"""Every code a problem can carry, and what `runner explain CODE` says about it.

A code is a promise: it is never renamed, and never used for something else.
"""

from __future__ import annotations

CODES: dict[str, str] = {
    "ambiguous-number": (
        "A plain number with a leading zero is read differently by different YAML readers: `017` is 17, "
        "15 or the text `017`. Write it without the zero if it is a number, in quotes if it is text (a "
        "postal code, an account number), or as `0o17` if it is octal."
    ),
    "bad-encoding": (
        "A job file is UTF-8 text without control characters. The place named is the first byte that is "
        "no valid UTF-8, or the first character that no text file should hold. Save the file as UTF-8."
    ),
    "bad-flag": (
        "A `-p name=value` or `--set path=value` cannot be applied: the path leads through a value that "
        "is no mapping or list, or the value cannot be read. The message names the flag."
    ),
    "bad-key": (
        "Keys of a job file are text. A plain `1`, `true` or `null` in the place of a key is a number, a "
        "boolean or nothing: put it in quotes if that is the name you mean."
    ),
    "bad-reference": (
        "References are `${params.NAME}`, `${env.NAME}`, `${env.NAME:-default}`, `${secret.NAME}` and "
        "`${run.date}`. The text holds a `${` that is none of these, is never closed, or refers to "
        "something that cannot stand inside a text. Write `$${` for a literal `${`."
    ),
    "bad-value": (
        "The value has the right type but is none of the values that the key takes. The message says what"
        " is allowed."
    ),
    "duplicate-key": (
        "The same key is given twice in one mapping. YAML readers would silently take the last one; here "
        "it is a fault, because one of the two is not what somebody meant."
    ),
    "empty-file": (
        "The file holds nothing but blank lines and comments. docs/job-file.md has a job file to start from."
    ),
    "file-too-large": (
        "A job file may be at most 1 MiB. Long lists belong in an input file, not in the job file."
    ),
    "misplaced-key": (
        "The key exists, but in another block. The help says where it belongs; often only the indentation"
        " is wrong."
    ),
    "missing-key": (
        "A key that has no default is not there. `version`, `name`, `input` and `task` must be given, and"
        " every kind of input or output may have such keys of its own."
    ),
    "missing-param": (
        "A parameter whose default is `null` has to be given for every run: `-p name=value`. Give it a "
        "default in `params` if it should be optional."
    ),
    "not-built-yet": (
        "The key or the reference is planned and described, but this version of runner cannot do it. It "
        "is refused and not ignored, because a job that relies on it would do something else than it "
        "says."
    ),
    "out-of-range": (
        "The number is outside of what the key takes. The message says what the limit is and what was found."
    ),
    "reference-not-allowed": (
        "`version`, `name`, `task.call`, the kinds (`input.type`, `output.type`, `pool.engine`), keys and"
        " the defaults in `params` are written out, so that a reviewer sees what a job is without knowing"
        " its parameters. `${secret.NAME}` stands only in `task.with` and in the `with` of a `python` "
        "input: everything else is shown somewhere, is a path, or becomes data."
    ),
    "second-document": (
        "A file holds one job. A `---` after the first line begins a second document: make it a file of "
        "its own."
    ),
    "short-secret": (
        "A secret with less than 6 characters cannot be masked by its value: it stands in too many words. "
        "What the task or its libraries say of it is shown as it is. Use a longer one."
    ),
    "too-deep": "Mappings and lists may be nested 64 deep. Deeper nesting is a mistake or an attack.",
    "too-many-faults": (
        "Only the first faults of a file are shown. Fix those; the next check shows the rest."
    ),
    "unknown-key": (
        "The block has no such key. The help names the nearest key it has, the note all of them. Unknown "
        "keys are faults, because a misspelt key that is ignored is a setting that does not hold."
    ),
    "unknown-param": (
        "A reference or a `-p` names a parameter that `params` does not declare. Declare it there with a "
        "default, or with `null` if it must be given."
    ),
    "unset-env": (
        "An environment variable that the job refers to is not set. Set it, or give the reference a "
        "default: `${env.NAME:-default}`. `runner validate` only warns, because a build machine need not "
        "have it."
    ),
    "unset-secret": (
        "A secret that the job names has no value: the variable is not set or empty, or the file is not "
        "there, not readable, empty, longer than 64 KiB, no plain file, or no UTF-8 text. "
        "`${secret.NAME}` is the environment variable NAME unless `secrets` names another place. `runner "
        "validate` only warns and reads nothing, because a build machine need not have it."
    ),
    "window-too-small": (
        "The window is the number of items that may be drawn from the input and not yet delivered. Below "
        "`chunksize` not even one chunk fits; below size x chunksize some workers have nothing to do."
    ),
    "wrong-type": (
        "The value is of another type than the key takes: text for a number, a list for a mapping."
    ),
    "yaml-alias": (
        "Anchors (`&name`), aliases (`*name`) and merge keys (`<<`) are not read: a few lines of them can"
        " stand for gigabytes, and a reviewer cannot see what a block holds. Write the value out."
    ),
    "yaml-syntax": "The file is no YAML. The message says what the reader met and where.",
    "yaml-tag": (
        "Tags (`!name`, `!!type`) are not read: a value is what it looks like. Quote a text that looks "
        "like something else."
    ),
}
