// A call with a relay that plays a tone, over one protocol alone: whether it connects, and what is heard.
import type { Outcome } from './code.ts';

const connectWithin = 5_000;
const hearFor = 2_500;
const leastPackets = 25;

export interface Called {
  outcome: Outcome;
  /** Milliseconds. */
  roundTrip: number | null;
  /** Percent. */
  loss: number | null;
  /** The tone, while the call lasts. */
  stream: MediaStream | null;
}

export type Post = (offer: string) => Promise<string>;
type Row = Record<string, unknown>;

/** An answer with the candidates of one protocol, so that each way is tried by itself; null where there are none. */
export function only(answer: string, protocol: 'udp' | 'tcp'): string | null {
  const candidate = (line: string): boolean => line.startsWith('a=candidate:');
  const fits = (line: string): boolean => line.split(' ')[2]?.toLowerCase() === protocol;
  const lines = answer.split('\r\n');
  return lines.some((line) => candidate(line) && fits(line)) ? lines.filter((line) => !candidate(line) || fits(line)).join('\r\n') : null;
}

/** What a browser's own counts say of a call that has connected. */
export function judged(rows: readonly Row[]): Omit<Called, 'stream'> {
  const inbound = rows.filter((row) => row['type'] === 'inbound-rtp');
  const sum = (name: string): number => inbound.reduce((total, row) => total + Math.max(0, Number(row[name] ?? 0)), 0);
  const received = sum('packetsReceived');
  const lost = sum('packetsLost');
  const pair = rows.find((row) => row['type'] === 'candidate-pair' && row['state'] === 'succeeded' && row['currentRoundTripTime'] !== undefined);
  const roundTrip = pair ? Number(pair['currentRoundTripTime']) * 1000 : null;
  return received < leastPackets ? { outcome: 'silent', roundTrip, loss: null } : { outcome: 'works', roundTrip, loss: (100 * lost) / (received + lost) };
}

/** Tries a call; `keep` gets the connection, to be closed by whoever asked once nobody listens any more. */
export async function tryCall(post: Post, protocol: 'udp' | 'tcp', keep: (peer: RTCPeerConnection) => void, heard: (stream: MediaStream) => void): Promise<Called> {
  const none = { roundTrip: null, loss: null, stream: null };
  if (typeof RTCPeerConnection === 'undefined') return { ...none, outcome: 'cannot' };
  const peer = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
  keep(peer);
  let stream: MediaStream | null = null;
  peer.addEventListener('track', ({ track }) => (stream = new MediaStream([track])));
  peer.addTransceiver('audio', { direction: 'recvonly' });
  await peer.setLocalDescription();
  const answer = only(await post(peer.localDescription?.sdp ?? ''), protocol);
  if (!answer) return { ...none, outcome: 'cannot' };
  await peer.setRemoteDescription({ type: 'answer', sdp: answer });
  if (!(await connected(peer))) return { ...none, outcome: 'nothing' };
  if (stream) heard(stream);
  await new Promise((done) => setTimeout(done, hearFor));
  const report = (await peer.getStats()) as unknown as ReadonlyMap<string, Row>;
  return { ...judged([...report.values()]), stream };
}

function connected(peer: RTCPeerConnection): Promise<boolean> {
  return new Promise((done) => {
    const look = (): void => {
      if (peer.connectionState === 'connected') done(true);
      if (peer.connectionState === 'failed' || peer.connectionState === 'closed') done(false);
    };
    peer.addEventListener('connectionstatechange', look);
    setTimeout(() => done(peer.connectionState === 'connected'), connectWithin);
    look();
  });
}

/** Whether a TURN server answers at all: it asks for a password then, which nobody who has not signed in is given. */
export async function tryTurn(urls: readonly string[]): Promise<Outcome> {
  const turn = urls.filter((url) => url.startsWith('turn'));
  if (turn.length === 0 || typeof RTCPeerConnection === 'undefined') return 'cannot';
  const peer = new RTCPeerConnection({ iceServers: [{ urls: turn, username: 'reach', credential: 'reach' }], iceTransportPolicy: 'relay' });
  try {
    return await new Promise<Outcome>((done) => {
      peer.addEventListener('icecandidateerror', ({ errorCode }) => errorCode >= 300 && errorCode < 700 && done('works'));
      peer.addEventListener('icecandidate', ({ candidate }) => candidate?.candidate && done('works'));
      setTimeout(() => done('nothing'), connectWithin);
      peer.addTransceiver('audio', { direction: 'recvonly' });
      void peer.setLocalDescription().catch(() => done('failed'));
    });
  } finally {
    peer.close();
  }
}
