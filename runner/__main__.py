"""`python -m runner`."""

import os
import sys

# `-m` puts the current folder first, where a stranger's `yaml.py` would be imported for ours. The project
# root is put there again by what imports a task, and by nothing else.
try:
    if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:  # before anything is imported
        del sys.path[0]
except FileNotFoundError:  # it has been removed
    pass

from runner.cli.main import main

main()
