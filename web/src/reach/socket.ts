// Whether WebSockets pass, by which people speak over the web: a hello that lets nobody in is answered all the same.
import type { Outcome } from './code.ts';

const answerWithin = 5_000;
const nowhere = 'reach00000000000';

export async function trySocket(path: string): Promise<Outcome> {
  if (!path) return 'cannot';
  const address = new URL(path + nowhere, location.href);
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(address);
  try {
    return await new Promise<Outcome>((done) => {
      socket.onopen = () => socket.send(JSON.stringify({ open: { permit: 'reach' } }));
      socket.onmessage = () => done('works');
      socket.onerror = () => done('nothing');
      socket.onclose = () => done('nothing');
      setTimeout(() => done('nothing'), answerWithin);
    });
  } finally {
    socket.onclose = null;
    socket.close();
  }
}
