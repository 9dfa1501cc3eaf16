// Waits before the doors with the project's own client and gives up: node give_up_doors.mjs CLIENT EMAIL KEEP_PLACE
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [client, email, keep] = process.argv.slice(2);
const at = (...parts) => pathToFileURL(path.join(path.dirname(client), ...parts)).href;
const { redeem } = await import(pathToFileURL(client).href);
const { Code, ConnectError } = await import(at('..', 'node_modules', '@connectrpc', 'connect', 'dist', 'esm', 'index.js'));
const { ErrorInfoSchema } = await import(at('gen', 'google', 'rpc', 'error_details_pb.js'));

const leaving = new AbortController();
const left = [];
const majlis = {
  invites: {
    redeemInvitation: async () => {
      setTimeout(() => leaving.abort(), 50);
      throw new ConnectError('wait', Code.ResourceExhausted, undefined, [{ desc: ErrorInfoSchema, value: { domain: 'majlis', reason: 'DOORS_PACED' } }]);
    },
  },
  doors: { setTurnLetter: async () => ({}), leaveLine: async ({ code, requestId }) => left.push([code, requestId]) },
};
const how = { signal: leaving.signal, email, keepPlace: keep === 'keep' };
const ended = await redeem(majlis, { code: 'codecodecode', requestId: 'a'.repeat(32) }, how).catch((error) => error.name);
console.log(JSON.stringify({ ended, left }));
