// Programs to copy, for this server and the topic in the form.

import { byId, make } from './dom.js';
import { base, hasToken, onToken, socketUrl } from './token.js';

/** Title and program, of the topic's name, its URL, and whether a token is wanted: it stands in $TOKEN, never itself. */
const SNIPPETS = [
  ['Publish, with curl', ({ url, secret }) => `curl -d 'hello' ${secret ? '-H "Authorization: Bearer $TOKEN" ' : ''}\\
  '${url}'`],

  ['Follow as server-sent events, with curl', ({ url, secret }) => `curl -N -H 'Accept: text/event-stream' \\
  ${secret ? '-H "Authorization: Bearer $TOKEN" ' : ''}'${url}?history=10'`],

  ['Subscribe, in a browser', ({ name, secret }) => `const socket = new WebSocket('${socketUrl('ws')}',
  ['wsring.v1'${secret ? ", 'bearer.' + token" : ''}]);
socket.onopen = () => socket.send(JSON.stringify(
  { id: 1, command: 'subscribe', topic: ${quoted(name)}, history: 10 }));
socket.onmessage = ({ data }) => console.log(JSON.parse(data));`],

  ['Subscribe and publish, in Python', ({ name, secret }) => `# pip install websockets
import asyncio, json${secret ? ', os' : ''}
from websockets.asyncio.client import connect

URL = "${socketUrl('ws')}"
SUBSCRIBE = {"id": 1, "command": "subscribe", "topic": ${JSON.stringify(name)}}
PUBLISH = {"id": 2, "command": "publish", "topic": ${JSON.stringify(name)}, "data": "hello"}
${secret ? 'TOKEN = {"Authorization": "Bearer " + os.environ["TOKEN"]}\n' : ''}
async def main():
    async with connect(URL, subprotocols=["wsring.v1"]${secret ? ',\n                       additional_headers=TOKEN' : ''}) as socket:
        await socket.send(json.dumps(SUBSCRIBE))
        await socket.send(json.dumps(PUBLISH))
        async for message in socket:
            print(json.loads(message))

asyncio.run(main())`],
];

const places = SNIPPETS.map(([title, program]) => {
  const figure = make('figure', '', { class: 'snippet' });
  const caption = make('figcaption', '', { class: 'bar' });
  const button = make('button', 'Copy', { class: 'small', type: 'button', 'aria-label': `Copy: ${title}` });
  const code = make('code');
  const pre = make('pre', '', { tabindex: '0', 'aria-label': title });
  pre.append(code);
  caption.append(make('span', title), button);
  figure.append(caption, pre);
  byId('snippets').append(figure);
  button.addEventListener('click', () => copy(code, button));
  return { code, program };
});

byId('topic').addEventListener('input', write);
onToken(write);
write();

function write() {
  const typed = byId('topic').value.trim();
  const name = typed && !/[+#]/.test(typed) ? typed : 'demo';
  const path = name.split('/').map(level => encodeURIComponent(level).replace(/'/g, '%27')).join('/');
  const about = { name, url: new URL(`topics/${path}`, base).href, secret: hasToken() };
  for (const { code, program } of places) code.textContent = program(about);
}

async function copy(code, button) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = 'Copied';
  } catch {
    // Only pages of https and of loopback have a clipboard.
    getSelection().selectAllChildren(code);
    button.textContent = 'Selected';
  }
  setTimeout(() => { button.textContent = 'Copy'; }, 1500);
}

function quoted(text) {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
