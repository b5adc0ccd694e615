"""Topics as ordinary programs use them: Python's `websockets`, urllib, and `curl -N` for server-sent events.

  push.py --url http://127.0.0.1:8080 [--only NAME]
"""

import argparse
import asyncio
import json
import shutil
import subprocess
import urllib.error
import urllib.request
import uuid

from websockets.asyncio.client import connect

from tap import Tests, equal

tests = Tests()
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--url", required=True, help="the server, without authentication")
parser.add_argument("--only", help="run only the tests whose name contains this")
options = parser.parse_args()


def topic():
    """A name that nobody else uses."""
    return f"clients/{uuid.uuid4().hex}"


def client(path, **settings):
    return connect(options.url.replace("http", "ws", 1) + path, proxy=None, **settings)


def http(method, path, body=None, headers=()):
    """Status and JSON of the answer."""
    data = body.encode() if isinstance(body, str) else body
    request = urllib.request.Request(options.url + path, data, dict(headers), method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def publish(name, body, headers=()):
    status, answer = http("POST", f"/topics/{name}", body, headers)
    equal(status, 200, "status")
    return answer


async def ask(socket, **command):
    """The answer to a command, which comes before anything else."""
    await socket.send(json.dumps({"id": "x", **command}))
    answer = json.loads(await socket.recv())
    equal(answer.pop("id"), "x", "id")
    return answer


@tests.case("websockets subscribes, publishes and resumes over /ws")
async def commands():
    name = topic()
    async with client("/ws", subprotocols=["wsring.v1"]) as socket:
        equal(socket.subprotocol, "wsring.v1", "subprotocol")
        epoch = (await ask(socket, command="subscribe", topic=name))["ok"]["epoch"]
        equal((await ask(socket, command="publish", topic=name, data={"n": [1, None]}))["ok"]["offset"], 0, "offset")
        equal(json.loads(await socket.recv()), {"topic": name, "offset": 0, "data": {"n": [1, None]}}, "delivery")
    publish(name, "while away")
    async with client("/ws", subprotocols=["wsring.v1"]) as socket:
        answer = await ask(socket, command="subscribe", topic=name, **{"from": 1, "epoch": epoch})
        equal(answer, {"ok": {"topic": name, "epoch": epoch, "next": 1}}, "answer")
        equal(json.loads(await socket.recv()), {"topic": name, "offset": 1, "data": "while away"}, "delivery")
        equal((await ask(socket, command="dance"))["error"]["code"], "unknown_command", "code")


@tests.case("websockets gets a topic as it was published, history included")
async def raw():
    name = topic()
    publish(name, "first")
    async with client(f"/topics/{name}?history=1") as socket:
        equal(await socket.recv(), "first", "history")
        await socket.send(b"\x00\xff")
        equal(await socket.recv(), b"\x00\xff", "its own")
        publish(name, b"\xfe", {"Content-Type": "application/octet-stream"}.items())
        equal(await socket.recv(), b"\xfe", "of another")


@tests.case("a pattern of many topics")
async def pattern():
    name = topic()
    async with client("/ws") as socket:
        equal(await ask(socket, command="subscribe", topic=f"{name}/#"), {"ok": {"topic": f"{name}/#"}}, "answer")
        status, results = http("POST", "/publish", json.dumps(
            [{"topic": f"{name}/{index}/{index}", "data": index} for index in range(100)]))
        equal((status, [result["offset"] for result in results]), (200, [0] * 100), "batch")
        found = [json.loads(await socket.recv()) for _ in range(100)]
        equal(found, [{"topic": f"{name}/{index}/{index}", "offset": 0, "data": index} for index in range(100)], "all")


@tests.case("curl -N follows a topic and resumes by Last-Event-ID")
async def events():
    assert shutil.which("curl"), "curl is missing"
    name = topic()
    epoch = publish(name, "one\ntwo")["epoch"]
    with Curl(f"/topics/{name}?history=1") as curl:
        equal(curl.event(), [f"id: {epoch}-0", "data: one", "data: two"], "event")
        publish(name, "three")
        equal(curl.event(), [f"id: {epoch}-1", "data: three"], "event")
    publish(name, "four")
    with Curl(f"/topics/{name}", f"Last-Event-ID: {epoch}-1") as curl:
        equal(curl.event(), [f"id: {epoch}-2", "data: four"], "event")
    with Curl(f"/topics/{name}", "Last-Event-ID: 7-2") as curl:
        gap = curl.event()
        equal(gap[0], "event: gap", "name")
        equal(json.loads(gap[1].removeprefix("data: "))["reason"], "epoch", "reason")


class Curl:
    """`curl -N` on an event stream."""

    def __init__(self, path, *headers):
        command = ["curl", "-sSN", "--max-time", "30", "-H", "Accept: text/event-stream", options.url + path]
        command += [part for header in headers for part in ("-H", header)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        equal(self.event(), ["retry: 2000"], "beginning")
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    def event(self):
        """The lines up to the next empty one."""
        lines = []
        for line in self._process.stdout:
            if line == "\n":
                return lines
            lines.append(line.rstrip("\n"))
        raise AssertionError(f"the stream ended after {lines}")


@tests.case("figures and errors over HTTP")
async def figures():
    name = topic()
    equal(http("GET", f"/topics/{name}")[1]["error"]["code"], "unknown_topic", "code")
    publish(name, "x")
    status, info = http("GET", f"/topics/{name}")
    equal((status, info["topic"], info["head"], info["oldest"]), (200, name, 1, 0), "figures")
    equal(http("POST", "/topics/a//b", "x")[0], 400, "status")
    equal(http("POST", "/publish", "{")[1]["error"]["code"], "bad_json", "code")


@tests.case("a hundred subscribers see one order")
async def order():
    name = topic()
    sockets = await asyncio.gather(*(client(f"/topics/{name}") for _ in range(100)))
    await asyncio.gather(*(socket.send(str(index)) for index, socket in enumerate(sockets)))

    async def heard(socket):
        return [await socket.recv() for _ in sockets]

    orders = await asyncio.gather(*(heard(socket) for socket in sockets))
    equal(sorted(orders[0], key=int), [str(index) for index in range(100)], "messages")
    assert all(order == orders[0] for order in orders), "the orders differ"
    await asyncio.gather(*(socket.close() for socket in sockets))


tests.run(options.only)
