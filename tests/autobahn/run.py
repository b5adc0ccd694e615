#!/usr/bin/env python3
"""Runs the Autobahn WebSocket suite against a server or a client.

  run.py server --url ws://127.0.0.1:8080/echo [--cases quick] [--jobs 2] [--chop 7]
  run.py client --command 'PROGRAM {url}'      [--cases quick] [--jobs 2] [--chop 7]

The client program gets the fuzzing server's URL in place of {url}. It asks /getCaseCount for a number N, echoes every
message of /runCase?case=1..N&agent=NAME, and ends with /updateReports?agent=NAME, as the suite's own clients do.
Sets of cases: core (sections 1-7, 246), quick (1-10, 301), small (with small compressed messages, 373), full (517).
Exits 0 when all passed, 1 when a case failed or is missing, 2 when nothing could be run.
"""

import argparse
import contextlib
import json
import shlex
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

import cases
import verdict
from install import CACHE, HERE, ensure_installed

LISTEN_SECONDS_MAX = 20


def main():
    options = parse()
    python = ensure_installed()
    started = time.monotonic()
    folder = CACHE / "runs" / f"{time.strftime('%m%d-%H%M%S')}-{options.role}"
    shares = cases.divide(options.cases, options.jobs)
    with contextlib.ExitStack() as stack:
        run = run_server if options.role == "server" else run_client
        reports = run(stack, options, python, folder, shares)
    chopped = f", chopped into 1 to {options.chop} bytes," if options.chop else ""
    print(f"{len(options.cases)} cases against the {options.role}{chopped} in {time.monotonic() - started:.0f} s; "
          f"reports in {folder}")
    sys.exit(1 if verdict.judge(reports, options.cases, options.allow_unimplemented) else 0)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    roles = parser.add_subparsers(dest="role", required=True, metavar="server|client")
    server = roles.add_parser("server", help="test a server")
    server.add_argument("--url", required=True, help="where it echoes, as ws://HOST:PORT/PATH")
    client = roles.add_parser("client", help="test a client program")
    client.add_argument("--command", required=True, help="the program, with {url} where the URL goes")
    for role in (server, client):
        role.add_argument("--cases", type=cases.select, default="quick", help="a set, or 6.4,7.1.5")
        role.add_argument("--jobs", type=int, default=1, help="how many to run at once")
        role.add_argument("--chop", type=int, metavar="N", help="cut the stream into segments of 1 to N bytes")
        role.add_argument("--seconds", type=int, default=3600, help="the limit of the whole run")
        role.add_argument("--allow-unimplemented", action="store_true", help="the peer offers no compression")
    return parser.parse_args()


def run_server(stack, options, python, folder, shares):
    """Lets the fuzzing client loose on the server, one process per share of the cases."""
    url = urlsplit(options.url)
    port = url.port or 80
    wait_for_listener(port, url.hostname)
    if options.chop:
        port = start_chopper(stack, port, options.chop)
    query = f"?{url.query}" if url.query else ""
    target = f"{url.scheme}://{url.hostname}:{port}{url.path or '/'}{query}"
    fuzzers = []
    for index, share in enumerate(shares):
        spec = {"servers": [{"agent": "server", "url": target}]}
        fuzzers.append(start_fuzzer(stack, python, "client", folder / str(index), spec, share))
    wait_for_all(fuzzers, options.seconds)
    return [folder / str(index) / "index.json" for index in range(len(shares))]


def run_client(stack, options, python, folder, shares):
    """Starts a fuzzing server per share of the cases, and the client program against each."""
    clients = []
    for index, share in enumerate(shares):
        port = free_port()
        spec = {"url": f"ws://127.0.0.1:{port}"}
        start_fuzzer(stack, python, "server", folder / str(index), spec, share)
        wait_for_listener(port)
        if options.chop:
            port = start_chopper(stack, port, options.chop)
        command = [part.replace("{url}", f"ws://127.0.0.1:{port}") for part in shlex.split(options.command)]
        clients.append(start(stack, command, folder / str(index) / "tested.log"))
    wait_for_all(clients, options.seconds)
    for client in clients:
        if client.returncode != 0:
            print(f"the client ended with status {client.returncode}")
    return [folder / str(index) / "index.json" for index in range(len(shares))]


def start_fuzzer(stack, python, role, folder, spec, share):
    folder.mkdir(parents=True)
    spec |= {"outdir": str(folder), "cases": share, "exclude-cases": [], "exclude-agent-cases": {}}
    path = folder / "spec.json"
    path.write_text(json.dumps(spec), encoding="utf-8")
    return start(stack, [python, "-X", "utf8", "-u", HERE / "fuzzer.py", role, path], folder / "fuzzer.log")


def start_chopper(stack, target_port, longest):
    port = free_port()
    start(stack, [sys.executable, HERE / "chopper.py", str(port), str(target_port), str(longest)])
    wait_for_listener(port)
    return port


def start(stack, command, log=None):
    """Starts a program that ends with the run, whatever happens."""
    output = stack.enter_context(open(log, "wb")) if log else None
    process = subprocess.Popen([str(part) for part in command], stdout=output, stderr=subprocess.STDOUT)
    stack.callback(end, process)
    return process


def end(process):
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for_all(processes, seconds):
    deadline = time.monotonic() + seconds
    for process in processes:
        try:
            process.wait(max(0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            print(f"still running after {seconds} s: {shlex.join(map(str, process.args))}")


def wait_for_listener(port, host="127.0.0.1"):
    deadline = time.monotonic() + LISTEN_SECONDS_MAX
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    print(f"nothing listens on {host}:{port}")
    sys.exit(2)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    main()
