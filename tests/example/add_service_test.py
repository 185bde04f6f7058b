#!/usr/bin/python3
"""Adds the service of CONTRIBUTING.md to a copy of the tree, counts the files changed elsewhere, builds and calls it.

usage: add_service_test.py [--like BUILD_DIR] [-DNAME=VALUE...]
The copy is configured with these settings; --like names the build that has them.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "binary"))

TOUCHED_MAX = 4
SUFFIX = ".example"
# The changes outside the service's folder, its protos and the documents.
EDITS = {
    "CMakeLists.txt": [("set(HALLES_SERVICES checkout", "set(HALLES_SERVICES loyalty checkout")],
    "services/halles/all_services.h": [
        ('#include "services/inventory/definition.h"\n',
         '#include "services/inventory/definition.h"\n#include "services/loyalty/definition.h"\n'),
        ("using AllParts = Parts<", "using AllParts = Parts<Part<&loyalty::Define, &loyalty::OpenDoors>,\n"),
    ],
}
# A source that both trees compile.
SHARED = "libs/base/check.cc"
SERVICE = "services/loyalty/service.cc"
SERVICE_OBJECT = "services/loyalty/CMakeFiles/halles_loyalty_service.dir/service.cc.o"


def compiled(tree, build):
    """The command that compiles SHARED, without the path of the tree."""
    commands = json.loads((build / "compile_commands.json").read_text())
    [command] = [entry["command"] for entry in commands if pathlib.Path(entry["file"]) == tree / SHARED]
    return command.replace(str(build), "BUILD").replace(str(tree), "TREE")


def contents(root, names):
    return {name: (root / name).read_bytes() for name in names if (root / name).is_file()}


class AddService(unittest.TestCase):
    like = None
    settings = []

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="halles-example-")
        cls.tree = pathlib.Path(cls.folder.name) / "tree"
        listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                                capture_output=True, text=True, check=True)
        before = contents(ROOT, filter(None, listed.stdout.split("\0")))
        for name, text in before.items():
            (cls.tree / name).parent.mkdir(parents=True, exist_ok=True)
            (cls.tree / name).write_bytes(text)
            shutil.copymode(ROOT / name, cls.tree / name)
        for path in (HERE / "loyalty").rglob(f"*{SUFFIX}"):
            to = cls.tree / str(path.relative_to(HERE / "loyalty")).removesuffix(SUFFIX)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, to)
        for name, edits in EDITS.items():
            text = (cls.tree / name).read_text()
            for old, new in edits:
                assert text.count(old) == 1, f"{name} has {text.count(old)} of {old!r}"
                text = text.replace(old, new)
            (cls.tree / name).write_text(text)
        after = contents(cls.tree, (str(path.relative_to(cls.tree)) for path in cls.tree.rglob("*")))
        cls.touched = sorted(
            name for name, text in after.items()
            if before.get(name) != text and not name.startswith(("services/loyalty/", "proto/halles/loyalty/"))
        )
        cls.build = cls.tree / "build"
        cls.run_in_tree("cmake", "-S", ".", "-B", "build", "-G", "Ninja",
                        f"-DHALLES_GOOGLEAPIS_DIR={os.environ['HALLES_GOOGLEAPIS_DIR']}", *cls.settings)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def run_in_tree(cls, *command, good=True):
        done = subprocess.run(command, cwd=cls.tree, capture_output=True, text=True, check=False)
        if good and done.returncode != 0:
            raise AssertionError(f"{command}: {done.stdout[-8000:]} {done.stderr[-2000:]}")
        return done

    def test_1_few_files_are_touched_elsewhere(self):
        print(f"files outside the service, its protos and the documents: {len(self.touched)}: {', '.join(self.touched)}")
        self.assertLessEqual(len(self.touched), TOUCHED_MAX)
        self.assertEqual(self.touched, sorted(EDITS))

    def test_1_it_is_compiled_like_this_build(self):
        if self.like is not None:
            self.assertEqual(compiled(self.tree, self.build), compiled(ROOT, self.like))

    def test_2_it_is_built_and_keeps_its_rules(self):
        self.run_in_tree("ninja", "-C", "build", "halles_loyalty_commands_test")
        self.run_in_tree("build/tests/halles_loyalty_commands_test")

    def expect_fault(self, old, new, fault, file=SERVICE):
        path = self.tree / file
        text = path.read_text()
        self.assertIn(old, text)
        path.write_text(text.replace(old, new))
        try:
            done = self.run_in_tree("ninja", "-C", "build", SERVICE_OBJECT, good=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(fault, done.stdout)
        finally:
            path.write_text(text)

    def test_3_a_missed_door_does_not_compile(self):
        self.expect_fault(", LoyaltyDoor>(parts)", ">(parts)", "no door is opened for halles.loyalty.v1.LoyaltyService")

    def test_4_a_missed_method_does_not_compile(self):
        method = "  // Takes points back.\n  rpc RedeemPoints(EarnPointsRequest) returns (EarnPointsResponse);\n}\n\n// Why"
        self.expect_fault("}\n\n// Why", method, "the door does not answer LoyaltyService.RedeemPoints",
                          "proto/halles/loyalty/v1/loyalty_service.proto")

    def test_5_the_program_serves_it(self):
        self.run_in_tree("ninja", "-C", "build", "halles")
        os.environ["HALLES_BIN"] = str(self.build / "bin")
        import program  # needs the paths of the binaries

        with program.serving(self.tree / "data") as running:
            running.settled()
            name = b"halles.loyalty.v1.LoyaltyService"
            asked = bytes([0x0A, len(name)]) + name
            health = running.channel.unary_unary("/grpc.health.v1.Health/Check")
            self.assertIn(health(asked, timeout=program.PATIENCE_S), (b"\x08\x01", b"\x08\x02"))
            earn = running.channel.unary_unary("/halles.loyalty.v1.LoyaltyService/EarnPoints")
            request = b"\x0a\x02r1\x12\x03ann\x18\x28"  # request r1, account ann, 40 points
            answer = earn(request, timeout=program.PATIENCE_S)
            self.assertEqual(answer[:2], b"\x08\x28")
            self.assertEqual(earn(request, timeout=program.PATIENCE_S)[:2], b"\x08\x28")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--like", type=lambda folder: pathlib.Path(folder).resolve())
    parsed, others = parser.parse_known_args()
    AddService.like = parsed.like
    AddService.settings = [word for word in others if word.startswith("-D")]
    unittest.main(argv=[sys.argv[0], *(word for word in others if not word.startswith("-D"))])
