// Reads and writes captions with the project's own client, a step for each line on standard input: node write_captions.mjs CLIENT URL ROOM
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [path, url, roomId] = process.argv.slice(2);
const { connect } = await import(pathToFileURL(path).href);
const majlis = await connect({ url, token: process.env.MAJLIS_TOKEN });
const input = createInterface({ input: process.stdin });
const lines = input[Symbol.asyncIterator]();
const step = () => lines.next();

const told = [];
const reading = (async () => {
  for await (const { caption, past } of majlis.watchCaptions(roomId, 'en')) {
    told.push([caption.text, past]);
    if (caption.text === 'over') return;
  }
})();
const writer = majlis.captionWriter(roomId, 'en');
await step();
await writer.interim('Good eve');
await writer.interim('Good even');
await step();
const id = await writer.final(' Good\nevening. ', { speaker: 'user000000000001', spokenAt: new Date('2026-01-02T03:04:05Z') });
const nothing = await writer.final('  ');
await step();
await majlis.sendCaption(roomId, 'en', { text: 'over' });
await reading;
input.close();
console.log(JSON.stringify({ told, id, nothing }));
