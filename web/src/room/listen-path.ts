// Where a room is listened to over HTTPS, and how the page opens it. See docs/guides/listening-over-https.md.
import { reasonIn, Refusal } from '../lib/refusal.ts';
import type { LiveEnding } from '../media/sink.ts';
import type { Wish } from './hearing.ts';
import type { StreamParts } from './sse-follower.ts';

/** The address of what is wished for, in a container. */
export function listenPath(roomId: string, { language, understands, thrift }: Wish, ending: LiveEnding): string {
  const asked = [!language && understands.length > 0 ? `understands=${understands.join(',')}` : '', thrift ? 'thrift=1' : ''].filter(Boolean).join('&');
  return `/listen/${roomId}${language ? `/${language}` : ''}.${ending}${asked ? `?${asked}` : ''}`;
}

/** Opens it as who is signed in, renewing an expired sign-in once. Throws what refuses it. */
export async function openListening({ ask, renew }: Pick<StreamParts, 'ask' | 'renew'>, path: string, signal: AbortSignal, again = true): Promise<Response> {
  const response = await ask(path, {}, signal);
  if (response.ok) return response;
  if (response.status === 401 && again && (await renew())) return openListening({ ask, renew }, path, signal, false);
  throw new Refusal(response.status, await reasonIn(response));
}
