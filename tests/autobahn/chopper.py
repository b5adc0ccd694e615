"""A proxy that cuts what passes through it, in both directions, into segments of 1 to N bytes.

Run in its own process: `chopper.py LISTEN_PORT TARGET_PORT N`. The suite sends whole frames; through this proxy its
peer sees every header, mask and payload come apart.
"""

import asyncio
import random
import socket
import sys


async def serve(listen_port, target_port, longest):
    loop = asyncio.get_running_loop()
    listener = socket.create_server(("127.0.0.1", listen_port))
    listener.setblocking(False)
    tasks = set()
    while True:
        near, _ = await loop.sock_accept(listener)
        task = asyncio.create_task(relay(near, target_port, longest))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def relay(near, target_port, longest):
    """Copies both ways until both directions have ended; a reset on one side resets the other."""
    with near, socket.socket() as far:
        far.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(far, ("127.0.0.1", target_port))
            async with asyncio.TaskGroup() as both:
                both.create_task(cut(near, far, longest))
                both.create_task(cut(far, near, longest))
        except* OSError:
            for side in (near, far):
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


async def cut(source, target, longest):
    """Copies until the end of the stream, then passes the end on."""
    loop = asyncio.get_running_loop()
    dice = random.Random(0)
    target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := memoryview(await loop.sock_recv(source, 65536)):
        while data:
            size = dice.randint(1, longest)
            await loop.sock_sendall(target, data[:size])
            await asyncio.sleep(0)
            data = data[size:]
    target.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    asyncio.run(serve(*map(int, sys.argv[1:])))
