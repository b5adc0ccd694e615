"""`wsload conform` on servers that others wrote, and on this one: what it finds is what is known of each.

  conform.py --wsload target/release/wsload --url http://127.0.0.1:8080 [--only NAME]
"""

import argparse
import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from tap import Tests, equal

HERE = Path(__file__).resolve().parent
# `websockets` 17.4 answers a version that it does not speak with 400 and without Sec-WebSocket-Version, which
# RFC 6455 section 4.2.2 demands. All else of both libraries is right, or within what the RFC allows.
SERVERS = [
    ("Python websockets", [sys.executable, HERE / "echo_server.py"], ["version"]),
    ("Node ws", ["node", HERE / "echo_server.mjs"], []),
]

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--wsload", required=True, help="the program")
parser.add_argument("--url", required=True, help="this project's server, as http://HOST:PORT")
parser.add_argument("--only", help="tests whose name contains this")
args = parser.parse_args()
tests = Tests()


@contextmanager
def running(command):
    """An echo server of a library; answers its port, and ends it."""
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    with server:
        try:
            yield int(server.stdout.readline())
        finally:
            server.stdin.close()
            server.wait(timeout=10)


def faults(url):
    """What fails there, and whether the exit code says the same."""
    done = subprocess.run([args.wsload, "conform", url, "--timeout", "10s", "--json", "-"], capture_output=True, text=True)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    failed = [probe for probe in report["probes"] if probe["verdict"] == "fail"]
    equal(done.returncode, 3 if failed else 0, "exit code")
    for probe in failed:
        print(f"   {probe['name']}: {probe['found']}")
    return [probe["name"] for probe in failed], report


def conforms(command, known):
    with running(command) as port:
        failed, report = faults(f"ws://127.0.0.1:{port}/")
        equal(failed, known, "what fails")
        equal(report["not_applicable"], 0, "probes that were left out, of a server with an echo and compression")


for name, command, known in SERVERS:
    tests.add(f"conform: {name}", conforms, command, known)


@tests.case("conform: wsring")
def wsring():
    base = args.url.replace("http", "ws", 1)
    equal(faults(f"{base}/echo")[0], [], "what fails at /echo")


tests.run(args.only)
