"""Shared code of the checks: lists the files of the tree and reports faults."""

import argparse
import collections
import json
import pathlib
import re
import shlex
import subprocess
import sys

OBJECT = re.compile(r"([^/]+)\.dir/")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+([<"])([^>"]+)[>"]', re.M)

# One file compiled for one target. The path is relative to the tree or, if the file is generated, to the build folder.
Compiled = collections.namedtuple("Compiled", "path generated target command directory")


def files(root, *suffixes):
    """Sorted paths, relative to `root`, of all files that are not ignored by git; only those with one of `suffixes`."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True, capture_output=True, text=True).stdout.split("\0")
    return sorted(pathlib.PurePosixPath(name) for name in set(listed)
                  if name and (not suffixes or name.endswith(suffixes)) and (root / name).is_file())


def includes(root, path):
    """(line number, quote, path) of every include of the file."""
    text = (root / path).read_text()
    for match in INCLUDE.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match.group(1), match.group(2)


def compiled(root, build):
    """Every Compiled of a configured build folder."""
    if not (build / "compile_commands.json").is_file():
        sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {build} is not configured; run scripts/build --configure")
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = pathlib.PurePath(entry["file"])
        text = entry["command"]
        command = shlex.split(text) if set("'\"\\") & set(text) else text.split()  # shlex is slow
        target = OBJECT.search(command[command.index("-o") + 1]).group(1)
        for base, generated in ((build, True), (root, False)):
            if path.is_relative_to(base):
                yield Compiled(pathlib.PurePosixPath(path.relative_to(base)), generated, target, command,
                               entry["directory"])
                break


def is_test(path):
    """Whether a C++ file is used by tests only."""
    return (path.stem.endswith(("_test", "_fixture", "_test_util")) or path.stem.startswith("test_") or
            path.parts[0] == "tests" or path.parts[:2] == ("libs", "testing"))


def arguments(description, *more):
    """Parses --root and the arguments in `more`, each as (name, options)."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent,
                        help="the tree to check; by default the one that the script is in")
    for name, options in more:
        parser.add_argument(name, **options)
    return parser.parse_args()


def report(faults, checked):
    """Prints each fault and ends the process, with 0 when there is none."""
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        print(f"{len(faults)} faults in {checked}", file=sys.stderr)
    else:
        print(f"{checked}: in order")
    sys.exit(1 if faults else 0)
