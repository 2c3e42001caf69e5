"""Runs the POSIX cases in a directory, and prints a JSON object a line for each: name, outcome, message.

    python3 run.py DIRECTORY [WORD…]     only cases with one of the words in their names

Any directory will do: on the host's own file system it shows whether the cases are right.
"""
import json
import os
import sys
import tempfile
import traceback

import acls
import attributes
import data
import directories
import links_and_names
import locks_and_maps
import xattrs
from suite import CASES, Skip

# Imported for the cases that they register.
_ = (acls, attributes, data, directories, links_and_names, locks_and_maps, xattrs)


def run(function, directory):
    try:
        function(directory)
    except Skip as reason:
        return "skipped", str(reason)
    except Exception:  # pylint: disable=broad-except
        return "failed", traceback.format_exc(limit=-4)
    return "passed", ""


def main():
    base = os.fsencode(sys.argv[1])
    words = sys.argv[2:]
    os.umask(0o022)
    for name, function in CASES.items():
        if words and not any(word in name for word in words):
            continue
        directory = tempfile.mkdtemp(prefix=b"case-", dir=base)
        os.chmod(directory, 0o755)
        outcome, message = run(function, directory)
        print(json.dumps({"name": name, "outcome": outcome, "message": message}), flush=True)


main()
