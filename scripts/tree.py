"""What the checks share: the files of the tree, and how faults are reported."""

import argparse
import pathlib
import subprocess
import sys


def files(root, *suffixes):
    """Paths relative to `root` of the files that are or could be committed, sorted; only those with one of `suffixes`."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True, capture_output=True, text=True).stdout.split("\0")
    return sorted(pathlib.PurePosixPath(name) for name in set(listed)
                  if name and (not suffixes or name.endswith(suffixes)) and (root / name).is_file())


def is_test(path):
    """Whether a C++ file is there for tests only."""
    return (path.stem.endswith(("_test", "_fixture", "_test_util")) or path.stem.startswith("test_") or
            path.parts[0] == "tests" or path.parts[:2] == ("libs", "testing"))


def arguments(description, *more):
    """Parses --root and what `more` (name, options) adds."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent,
                        help="the tree to check; by default the one that the script is in")
    for name, options in more:
        parser.add_argument(name, **options)
    return parser.parse_args()


def report(faults, checked):
    """Prints each fault and ends the process: 0 when there is none."""
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        print(f"{len(faults)} faults in {checked}", file=sys.stderr)
    else:
        print(f"{checked}: in order")
    sys.exit(1 if faults else 0)
