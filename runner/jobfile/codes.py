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
    "argument-type": (
        "A value in `with` is of another type than the task's own annotation says. Only plain annotations "
        "are compared (int, float, str, bool, None and unions of these); everything else is the task's "
        "business."
    ),
    "async-task": "The task is an `async def`, which this version of runner does not call.",
    "attribute-missing": (
        "The module is there, but it has no such function. The help names the nearest name that it has."
    ),
    "bad-dotted-path": (
        "A task is named by its dotted path: package.module.function. It is no path of a file, has no `()` "
        "and no `:`, and no part of it begins with an underscore, which means private."
    ),
    "bad-encoding": (
        "A job file is UTF-8 text without control characters. The place named is the first byte that is "
        "no valid UTF-8, or the first character that no text file should hold. Save the file as UTF-8."
    ),
    "bad-flag": (
        "A `-p name=value` or `--set path=value` cannot be applied: the path leads through a value that "
        "is no mapping or list, or the value cannot be read. The message names the flag."
    ),
    "bad-ignore": (
        "A comment that is to keep a warning quiet is written `# runner: ignore[code] reason`. The code "
        "must be one of a warning (errors cannot be ignored), and the reason must be there, because the "
        "next reader will ask."
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
    "chunksize-idles-pool": (
        "The number of items is known, and in chunks of this size there are less than half as many chunks "
        "as workers: the others have nothing to do."
    ),
    "columns-differ": (
        "`output.columns` names other columns than the task's rows have, by the annotation of what it "
        "returns: no row could be written."
    ),
    "deadline-too-short": (
        "A single attempt, or the waiting between the attempts at a single item, takes longer than the "
        "whole run may. Such an item never gets all its attempts."
    ),
    "duplicate-key": (
        "The same key is given twice in one mapping. YAML readers would silently take the last one; here "
        "it is a fault, because one of the two is not what somebody meant."
    ),
    "empty-file": (
        "The file holds nothing but blank lines and comments. `runner init` writes one to start from."
    ),
    "file-too-large": (
        "A job file may be at most 1 MiB. Long lists belong in an input file, not in the job file."
    ),
    "import-failed": (
        "The module was found and its import raised an exception. Importing a module of tasks must do "
        "nothing but define them: work at import time also runs when the job is only checked with "
        "`--import`."
    ),
    "items-refused": (
        "None of the first items of the input fits the type of the task's parameter. One bad row fails "
        "alone and is not reported; that all of them do means that the type or the input is another one "
        "than meant."
    ),
    "looks-like-reference": (
        "The text looks like a reference and is none: it is taken as it stands. References are written "
        "`${params.NAME}`, `${env.NAME}` and `${run.date}`, with one pair of braces. In a path, `~` and "
        "`$HOME` are what a shell replaces, and here names of folders: write `${env.HOME}`."
    ),
    "misplaced-key": (
        "The key exists, but in another block. The help says where it belongs; often only the indentation"
        " is wrong."
    ),
    "missing-argument": (
        "The task has a parameter without a default, and `with` does not give it. The first parameter "
        "takes the item; all others come from `with`."
    ),
    "missing-column": (
        "The type of the task's item requires a field, and the input has no column of that name (or "
        "alias). Every item would fail. A field takes a column of another name by an alias, in a dataclass, "
        'a model or any other type with fields: `price: Annotated[float, Field(alias="Unit Price")]`, with '
        "`Field` from pydantic."
    ),
    "missing-key": (
        "A key that has no default is not there. `version`, `name`, `input` and `task` must be given, and"
        " every kind of input or output may have such keys of its own."
    ),
    "missing-param": (
        "A parameter whose default is `null` has to be given for every run: `-p name=value`. Give it a "
        "default in `params` if it should be optional."
    ),
    "module-missing": (
        "There is no module of that name below the project root, nor among the installed packages. The "
        "note names the folders that were searched; the project root is the nearest folder with a "
        "pyproject.toml or config.yaml."
    ),
    "no-item-parameter": (
        "The function takes no positional argument. A task is called with the item as its first argument."
    ),
    "no-items": "The input is written out in the job file, and it is empty: the job can have nothing to do.",
    "no-timeout-to-retry": (
        "`runner.AttemptTimeout` is raised where `timeout` ends an attempt, and by nothing else. Without "
        "`timeout` a rule that names it waits for what never comes."
    ),
    "not-built-yet": (
        "The key or the reference is planned and described, but this version of runner cannot do it. It "
        "is refused and not ignored, because a job that relies on it would do something else than it "
        "says."
    ),
    "not-callable": "The path leads to a module or to a plain value, which cannot be called.",
    "not-convertible": (
        "The task's annotation cannot be used to check or convert what it is given: a name in it cannot be "
        "resolved, or it is no type that pydantic knows. The value is passed as it is."
    ),
    "out-of-range": (
        "The number is outside of what the key takes. The message says what the limit is and what was found."
    ),
    "overwrites-input": (
        "The output or the dead letters are written over a file that the job reads, or into a folder of "
        "which a glob of the input takes every such file. The next run would read what this one wrote: it is "
        "refused. So is a run whose output would replace the job file, the settings or the code of the task."
    ),
    "path-clash": (
        "Two things of one job are to be written to the same file: the output and the dead letters. One "
        "would overwrite the other."
    ),
    "rate-limit-idles-pool": (
        "At most rate x timeout + burst attempts can run at once (Little's law: each ends within "
        "`timeout`). That is less than half of the workers that the job asks for."
    ),
    "reference-not-allowed": (
        "`version`, `name`, `task.call`, the kinds (`input.type`, `output.type`, `pool.engine`), keys and"
        " the defaults in `params` are written out, so that a reviewer sees what a job is without knowing"
        " its parameters. `${secret.NAME}` stands only in `task.with` and in the `with` of a `python` "
        "input: everything else is shown somewhere, is a path, or becomes data."
    ),
    "retry-does-nothing": (
        "`attempts` counts all attempts, the first one included, and its default is 1. A `retry` whose "
        "rules have no more than one, and that does not stop the run, changes nothing."
    ),
    "same-name": (
        "Two job files of one project have the same name. Logs and the state of jobs without an output "
        "file are kept by name."
    ),
    "same-output": (
        "Two job files write one file. Whichever ends later replaces what the other wrote, and they cannot "
        "run at the same time."
    ),
    "second-document": (
        "A file holds one job. A `---` after the first line begins a second document: make it a file of "
        "its own."
    ),
    "secret-default": (
        "A variable that is a secret by its name has a default written out in the job file. Either the "
        "secret stands in version control now, or a run goes on with a wrong one where it should stop."
    ),
    "short-secret": (
        "A secret with less than 6 characters cannot be masked by its value: it stands in too many words. "
        "What the task or its libraries say of it is shown as it is. Use a longer one."
    ),
    "stdlib-task": (
        "Functions of Python's standard library are never tasks: a job file that can name `os.system` is a "
        "shell script that nobody reviews as one. Write a function that calls what you need."
    ),
    "syntax-error": "The module of the task is no valid Python. The note names file and line.",
    "task-form": (
        "The task is a class, and what it builds cannot be called. A class is built once for each worker, and"
        " what it builds is called with each item: it needs `def __call__(self, item)`."
    ),
    "task-not-allowed": (
        "The operator's settings (`tasks.allow` in config.yaml) limit which functions a job file may name, "
        "and this one is not among them. Only the operator can change that."
    ),
    "timeout-not-retried": (
        "An attempt that `timeout` ends raises `runner.AttemptTimeout`, which is a TimeoutError. A rule of "
        "`retry` that names the timeouts of a library only does not take it, and such an item fails at "
        "once."
    ),
    "tolerates-all": (
        "With `tolerate: all` or `100%` a run in which every item fails ends with exit code 0, and whoever "
        "watches it learns nothing. A high percentage still notices that something is broken."
    ),
    "too-deep": "Mappings and lists may be nested 64 deep. Deeper nesting is a mistake or an attack.",
    "too-many-faults": (
        "Only the first faults of a file are shown. Fix those; the next check shows the rest."
    ),
    "unknown-argument": (
        "`with` gives an argument that the task does not take. The help names the nearest parameter, the "
        "note shows the signature."
    ),
    "unknown-column": (
        "The input has a column for which the type of the task's item has no field, and the type forbids "
        "further ones. Every item would fail."
    ),
    "unknown-exception": (
        "`retry.errors` names no exception. A name without a dot is one of Python's built-in exceptions; "
        "any other is named by its dotted path, as a task is."
    ),
    "unknown-key": (
        "The block has no such key. The help names the nearest key it has, the note all of them. Unknown "
        "keys are faults, because a misspelt key that is ignored is a setting that does not hold."
    ),
    "unknown-param": (
        "A reference or a `-p` names a parameter that `params` does not declare. Declare it there with a "
        "default, or with `null` if it must be given."
    ),
    "unreachable-rule": (
        "The first rule of `retry` that names an error's class, or a base class of it, decides. A rule "
        "whose errors are all taken by rules above it never does."
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
    "unused-ignore": (
        "The comment keeps a warning quiet that does not come: it was mended, or the comment stands on "
        "another line. A comment counts for its own line, or, alone on a line, for the next line that is "
        "no comment."
    ),
    "unused-param": (
        "A parameter is declared and nothing in the file refers to it, so `-p` would change nothing. Most "
        "often the reference is misspelt or was forgotten. Not reported where the task can read the "
        "parameters itself."
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

WARNINGS = frozenset(
    {
        "bad-ignore",
        "chunksize-idles-pool",
        "deadline-too-short",
        "items-refused",
        "looks-like-reference",
        "no-items",
        "no-timeout-to-retry",
        "not-convertible",
        "overwrites-input",
        "rate-limit-idles-pool",
        "retry-does-nothing",
        "same-name",
        "same-output",
        "secret-default",
        "short-secret",
        "timeout-not-retried",
        "tolerates-all",
        "unreachable-rule",
        "unset-env",
        "unset-secret",
        "unused-ignore",
        "unused-param",
        "window-too-small",
    }
)
"""Codes of what is legal and suspicious; `window-too-small` and the two of `unset` can be errors too."""
