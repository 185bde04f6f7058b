#!/usr/bin/python3
"""Everything that keeps the real halles from starting: each has a precise error and changes nothing."""

import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import unittest
import zlib

import program
from program import order


def crc32c(data):
    """CRC-32C, computed bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def fingerprint(folder):
    """The contents of all files of log and keys."""
    return {
        path.relative_to(folder): zlib.crc32(path.read_bytes())
        for part in ("log", "keys")
        for path in sorted((folder / part).rglob("*"))
        if path.is_file() and path.name != "LOCK"
    }


class Start(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="halles-start-")
        cls.used = pathlib.Path(cls.folder.name) / "used"
        with program.serving(cls.used) as running:
            for number in range(20):
                running.import_order(order(number, customer=number % 3))
            cls.digests = running.digests()
            cls.install = running.install

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def setUp(self):
        self.data = pathlib.Path(tempfile.mkdtemp(dir=self.folder.name)) / "data"
        shutil.copytree(self.used, self.data)

    def expect_refusal(self, reason, *words, data=None, changed=False, **options):
        before = fingerprint(self.data)
        code, line = program.Program(data or self.data, **options).refusal_to_start()
        self.assertEqual((code, line.get("reason")), (1, reason), line)
        for word in words:
            self.assertIn(str(word), line["why"])
        if not changed:
            self.assertEqual(fingerprint(self.data), before, "something changed")
        return line

    def expect_whole(self):
        """Starts halles and checks that all data is there."""
        with program.serving(self.data) as running:
            self.assertEqual(running.digests(), self.digests)
            self.assertEqual(running.install, self.install)
            code, proof = running.ctl("verify")
            self.assertEqual((code, proof["equal"]), (0, True), proof)

    def other_install(self):
        """Creates the data directory of another install."""
        other = self.data.parent / "other"
        with program.serving(other) as running:
            for number in range(3):
                running.import_order(order(f"other-{number}", customer=9))
        return other

    def rewrite(self, path, old, new, checksum, crc):
        """Replaces text in a file with a checksum and corrects the checksum."""
        text = path.read_text()
        self.assertIn(old, text)
        body = text.replace(old, new)
        body = body[: body.rindex(checksum)]
        path.write_text(f"{body}{checksum}{crc(body.encode()):08x}\n")

    def test_a_corrupted_segment(self):
        segment = self.data / "log" / "00000001.segment"
        content = bytearray(segment.read_bytes())
        at = content.index(b"order-7")
        content[at] ^= 1
        segment.write_bytes(content)
        line = self.expect_refusal("LOG_DAMAGED", segment, "byte ")
        named = int(re.search(r"byte (\d+)", line["why"]).group(1))
        # The frame that holds the byte.
        self.assertLess(named, at)
        self.assertLess(at - named, 4096)
        content[at] ^= 1
        segment.write_bytes(content)
        self.expect_whole()

    def test_a_missing_segment(self):
        (self.data / "log" / "00000001.segment").unlink()
        self.expect_refusal("LOG_INCOMPLETE", "00000001.segment")

    def test_keys_of_another_install(self):
        shutil.rmtree(self.data / "keys")
        shutil.copytree(self.other_install() / "keys", self.data / "keys")
        self.expect_refusal("KEYS_FOREIGN", self.data / "keys")

    def test_missing_and_damaged_keys(self):
        ring = self.data / "keys" / "ring"
        text = ring.read_text()
        ring.write_text(text.replace("key request 1 ", "key request 2 "))
        self.expect_refusal("KEYS_DAMAGED", ring)
        ring.unlink()
        self.expect_refusal("KEYS_MISSING", ring)
        ring.write_text(text)
        self.expect_whole()

    def test_the_state_of_another_install_is_moved_aside_and_rebuilt(self):
        shutil.rmtree(self.data / "state")
        shutil.copytree(self.other_install() / "state", self.data / "state")
        self.expect_whole()
        self.assertEqual(len(list(self.data.glob("state.quarantined-*"))), 1)

    def test_a_state_ahead_of_its_log_is_moved_aside_and_rebuilt(self):
        with program.serving(self.data) as running:
            running.import_order(order("later"))
        shutil.rmtree(self.data / "log")
        shutil.copytree(self.used / "log", self.data / "log")
        self.expect_whole()
        self.assertEqual(len(list(self.data.glob("state.quarantined-*"))), 1)

    def test_a_missing_state_is_rebuilt(self):
        shutil.rmtree(self.data / "state")
        self.expect_whole()

    def test_a_log_of_a_newer_format(self):
        identity = self.data / "log" / "IDENTITY"
        self.rewrite(identity, "format 3", "format 7", "crc32c ", crc32c)
        self.expect_refusal("LOG_FORMAT_NEWER", "format 7", "reads format 3")

    def test_a_log_of_an_older_format(self):
        identity = self.data / "log" / "IDENTITY"
        self.rewrite(identity, "format 3", "format 2", "crc32c ", crc32c)
        self.expect_refusal("LOG_FORMAT_OLDER", "format 2", "reads format 3")

    def test_a_damaged_identity(self):
        identity = self.data / "log" / "IDENTITY"
        identity.write_text(identity.read_text().replace("slots 8", "slots 9"))
        self.expect_refusal("LOG_IDENTITY_DAMAGED", identity)

    def test_keys_of_a_newer_format(self):
        ring = self.data / "keys" / "ring"
        self.rewrite(ring, "halles-keys 1", "halles-keys 2", "crc ", crc32c)
        self.expect_refusal("KEYS_NEWER_FORMAT", ring, "halles-keys 2", "halles-keys 1")

    def test_a_state_of_a_newer_format(self):
        self.tamper("format")
        self.expect_refusal("NEWER_STORE_FORMAT", "format 3")
        self.assertEqual(list(self.data.glob("state.quarantined-*")), [])

    def test_verify_names_an_altered_row(self):
        self.tamper("row")
        with program.serving(self.data) as running:
            code, proof = running.ctl("verify")
            self.assertEqual((code, proof["equal"]), (1, False), proof)
            self.assertTrue(any("orders order=" in difference for difference in proof["differences"]), proof)
            code, proof = running.ctl("rebuild")
            code, proof = running.ctl("verify")
            self.assertEqual((code, proof["equal"]), (0, True), proof)
            self.assertEqual(running.digests(), self.digests)

    def tamper(self, what):
        subprocess.run([program.TESTS / "halles_tamper", self.data / "state", what], check=True)

    def test_a_different_number_of_slots(self):
        self.expect_refusal("LOG_SLOTS_DIFFER", "made with 8 slots a service", "log reshard", slots=16)
        self.expect_refusal("LOG_SLOTS_DIFFER", "not with 8,checkout=4", slots="checkout=4")

    def test_a_data_directory_that_is_a_file(self):
        self.expect_refusal("DATA_DIR_UNUSABLE", "IDENTITY", data=self.data / "log" / "IDENTITY")

    def test_a_second_process_on_the_same_data(self):
        with program.serving(self.data) as running:
            before = running.settled()
            code, line = program.Program(self.data).refusal_to_start()
            self.assertEqual((code, line["reason"]), (1, "LOG_IN_USE"), line)
            self.assertIn(str(self.data), line["why"])
            self.assertIn(str(running.pid), line["why"])
            self.assertEqual(running.settled(), before)

    def test_a_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            self.expect_refusal("ADDRESS_IN_USE", address, listen=address)
            self.expect_refusal("ADDRESS_IN_USE", address, metrics=address)

    def test_an_address_that_is_not_loopback(self):
        for address in ("0.0.0.0:0", "[::]:0"):
            self.expect_refusal("TLS_REQUIRED", "TLS is required", listen=address)
        self.expect_refusal("TLS_REQUIRED", "TLS is required", metrics="0.0.0.0:0")
        self.expect_refusal("MALFORMED_ADDRESS", "nowhere", listen="nowhere")


class CommandLine(unittest.TestCase):
    def run_halles(self, *arguments, **environment):
        return subprocess.run(
            [program.BIN / "halles", *arguments],
            capture_output=True,
            text=True,
            timeout=program.PATIENCE_S,
            env={"PATH": "/usr/bin:/bin", **environment},
            check=False,
        )

    def expect_usage(self, done, *words):
        self.assertEqual(done.returncode, 2, done)
        self.assertEqual(done.stdout, "")
        for word in words:
            self.assertIn(word, done.stderr)

    def test_a_wrong_flag_is_answered_with_a_valid_one(self):
        self.expect_usage(self.run_halles("--data-dri", "x"), "--data-dri", "--data-dir")

    def test_a_wrong_value_is_answered_with_a_valid_one(self):
        self.expect_usage(self.run_halles("--log-level", "loud"), "log-level", "info")
        self.expect_usage(self.run_halles("--slots", "0"), "slots", "1")
        self.expect_usage(self.run_halles("--slots", "till=4"), "slots", "checkout")
        self.expect_usage(self.run_halles("--executors", "many"), "executors")
        self.expect_usage(self.run_halles(HALLES_SLOTS="none"), "HALLES_SLOTS")

    def test_a_wrong_configuration_key_is_answered_with_a_valid_one(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write('data-dri = "x"\n')
            file.flush()
            self.expect_usage(self.run_halles("--config", file.name), "data-dri", "data-dir")
        self.expect_usage(self.run_halles("--config", "/nowhere/halles.toml"), "/nowhere/halles.toml")

    def test_flags_override_the_environment_and_that_overrides_the_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write('data-dir = "of-file"\nslots = "3,checkout=4"\nexecutors = 4\n')
            file.flush()
            done = self.run_halles(
                "--config", file.name, "--slots", "5", "--print-config", HALLES_SLOTS="6", HALLES_EXECUTORS="7"
            )
            of_file = self.run_halles("--config", file.name, "--print-config")
        self.assertEqual(done.returncode, 0, done)
        for line in ('data-dir = "of-file"', 'slots = "5"', "executors = 7"):
            self.assertIn(line, done.stdout.replace("'", '"'))
        self.assertIn('slots = "3,checkout=4"', of_file.stdout.replace("'", '"'), of_file)

    def test_the_version(self):
        done = self.run_halles("--version")
        self.assertEqual(done.returncode, 0, done)
        self.assertRegex(done.stdout, r"^halles \d+\.\d+\.\d+\n$")


if __name__ == "__main__":
    unittest.main()
