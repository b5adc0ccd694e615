#!/usr/bin/env python3
"""Runs the independent clients against a server, and adds up what they say.

  run.py --url http://127.0.0.1:8080 [--testee http://127.0.0.1:8081] [--pid PID] [--wsload PROGRAM] [NAME ...]

NAMES: python node deflate deflate-node push push-node protocol handshake mutations attacks conform; all of them when none is given.
`attacks` needs the server's PID, `conform` the program `wsload`, which it also runs against echo servers of both libraries. Python's
`websockets` and Node's `ws` are installed on first use. Exits 0 when everything passed.
"""

import argparse
import hashlib
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / "target" / "clients"
PYTHON = CACHE / "venv" / "bin" / "python"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="the server, as http://HOST:PORT")
    parser.add_argument("--testee", help="the test server with the routes /close, /protocol, /reject")
    parser.add_argument("--pid", help="the server's process, to see what it uses")
    parser.add_argument("--wsload", help="the program `wsload`, for `conform`")
    parser.add_argument("names", nargs="*", metavar="NAME", help="which clients to run")
    options = parser.parse_args()
    programs = commands(options)
    unknown = set(options.names) - set(programs)
    if unknown:
        parser.error(f"no client is called {', '.join(unknown)}; there are {', '.join(programs)}")

    totals = [0, 0]
    for name in options.names or programs:
        print(f"--- {name}", flush=True)
        ensure_installed(name)
        for index, count in enumerate(run(name, programs[name])):
            totals[index] += count
    print(f"{totals[0]} passed, {totals[1]} failed")
    sys.exit(1 if totals[1] or not totals[0] else 0)


def commands(options):
    """What to run, by name, in the order in which it is run."""
    url = ["--url", options.url]
    testee = ["--testee", options.testee] if options.testee else []
    pid = ["--pid", options.pid] if options.pid else []
    conform = [PYTHON, HERE / "conform.py", *url, "--wsload", options.wsload]
    return {
        "python": [PYTHON, HERE / "library.py", *url, *testee],
        "node": ["node", HERE / "library.mjs", *url, *testee],
        "deflate": [PYTHON, HERE / "deflate.py", *url, *testee],
        "deflate-node": ["node", HERE / "deflate.mjs", *url, *testee],
        "push": [PYTHON, HERE / "push.py", *url],
        "push-node": ["node", HERE / "push.mjs", *url],
        "protocol": [sys.executable, HERE / "protocol.py", *url],
        "handshake": [sys.executable, HERE / "handshake.py", *url],
        "mutations": [sys.executable, HERE / "mutations.py", *url, *pid],
        "attacks": [sys.executable, HERE / "attacks.py", *url, *pid],
        **({"conform": conform} if options.wsload else {}),
    }


def run(name, command):
    """Runs one program, shows what it says, and answers its (passed, failed); a crash counts as a failure."""
    command = [str(part) for part in command]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    counts = None
    for line in process.stdout:
        match = re.fullmatch(r"(\d+) passed, (\d+) failed", line.strip())
        counts = (int(match[1]), int(match[2])) if match else None
        print(f"{name}: {line}" if match else line, end="", flush=True)
    process.wait()
    if counts is None:
        print(f"not ok {name}: the program ended with status {process.returncode} before its last line")
    return counts or (0, 1)


def ensure_installed(name):
    """Installs the library that the client is made of, unless it is there in the version that is asked for."""
    if name in ("python", "deflate", "push", "conform"):
        install(HERE / "requirements.txt", PYTHON, [
            [sys.executable, "-m", "venv", "--clear", CACHE / "venv"],
            [PYTHON, "-m", "pip", "--disable-pip-version-check", "-q", "install", "-r", HERE / "requirements.txt"]])
    if name in ("node", "deflate-node", "push-node", "conform"):
        install(HERE / "package-lock.json", HERE / "node_modules", [["npm", "ci", "--silent", "--prefix", HERE]])


def install(recipe, result, steps):
    stamp = CACHE / f"{recipe.name}.installed"
    wanted = hashlib.sha256(recipe.read_bytes()).hexdigest()
    if result.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    for step in steps:
        done = subprocess.run([str(part) for part in step], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            sys.exit(f"{done.stdout}\nfailed: {' '.join(map(str, step))}")
    stamp.write_text(wanted)


if __name__ == "__main__":
    main()
