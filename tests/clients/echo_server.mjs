// The Node library `ws` as an echo server with permessage-deflate: prints its port, and serves until its input ends.
//
//   node echo_server.mjs

import { WebSocketServer } from 'ws';

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: true });
server.on('listening', () => console.log(server.address().port));
server.on('connection', ws => {
  ws.on('error', () => {}); // a protocol error of the client; ws closes the connection
  ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
});
process.stdin.on('end', () => process.exit()).resume();
