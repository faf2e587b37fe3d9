"""The files of an example that runs: a job, its task, its data, and the mark of the project's root."""

from __future__ import annotations

TASKS = '''\
"""What the job does with each item. Change it, or write a function of your own beside it."""


def price(row: dict[str, str], *, rate: float = 0.92) -> dict[str, object]:
    """Turn a price in dollars into one in euro.

    `row` is one line of items.csv. What is returned is one row of the output; `None` would be no row.
    """
    return {"name": row["name"], "euro": round(float(row["dollar"]) * rate, 2)}
'''

ITEMS = """\
name,dollar
tea,4.20
coffee,5.10
water,free
"""

JOB = """\
# An example that runs. Change tasks.py and items.csv into yours, or begin with `runner init --from`.
#
#   runner preview job.yaml   the first items through the task; writes nothing
#   runner test job.yaml      the tests below
#   runner run job.yaml       all items, into out/prices.jsonl
version: 1
name: prices

input:                             # every row is an item: a dict of text: name, dollar
  type: csv
  path: items.csv                  # from the project root, the folder with config.yaml

task:                              # called once for every item: price(row, rate=...)
  call: tasks.price
  with:                            # its keyword arguments
    rate: 0.92

pool:                              # how many at once
  size: 4
  ordered: true                    # rows in the order of the input; false: as they are ready

failures:                          # an item that raises is set aside and named; the others go on
  tolerate: 1                      # how many may: a count or 1%; with more, nothing is published

output:                            # the file appears at the end, whole
  type: jsonl
  path: out/prices.jsonl           # what failed goes to out/prices.failed.jsonl

tests:                             # an item, and what must come of it
  - name: a price
    item: {name: tea, dollar: "4.20"}
    row: {name: tea, euro: 3.86}
  - name: no number
    item: {name: water, dollar: free}
    error: {type: ValueError, message: could not convert}
"""

CONFIG = """\
# This file marks the root of the project: imports and paths of job files start in this folder.
# It is also where an operator may limit what job files can do, for example:
#
# tasks:
#   allow: ["tasks.*"]             # the functions that a job file may name
"""

FILES = {"config.yaml": CONFIG, "tasks.py": TASKS, "items.csv": ITEMS, "job.yaml": JOB}
"""By name, in the order in which they are told."""
