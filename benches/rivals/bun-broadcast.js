// uWebSockets, as Bun has it built in, as the server of the broadcast benchmark: every message goes to
// everybody, its sender included, through Bun's own publish and subscribe, which is what it recommends.
//
// Chosen for it: no compression, no pings, no timeouts, payloads as plain bytes, and a limit of
// unsent bytes that is never reached, so that nothing is dropped or closed. One thread runs all of it.

const port = Number(process.argv[process.argv.indexOf("--port") + 1]);

const server = Bun.serve({
  hostname: "127.0.0.1",
  port,
  fetch(request, server) {
    if (server.upgrade(request)) return;
    return new Response("this is a WebSocket server\n", { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
    sendPings: false,
    idleTimeout: 0,
    backpressureLimit: 1 << 30,
    closeOnBackpressureLimit: false,
    open(socket) {
      socket.binaryType = "uint8array";
      socket.subscribe("room");
    },
    message(socket, message) {
      server.publish("room", message);
    },
  },
});

console.log(`bun ${Bun.version} listening on 127.0.0.1:${server.port}`);
