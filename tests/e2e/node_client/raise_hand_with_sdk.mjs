// The same with the client that the project offers, where it is installed. Arguments: URL, room; token in MAJLIS_TOKEN.
import { connect, Ending, Hands, passes, reasonOf, refusalOf, room } from '@majlis/client';

const [url, roomId] = process.argv.slice(2);
const majlis = await connect({ url, token: process.env.MAJLIS_TOKEN });
const { seat } = await majlis.rooms.joinRoom({ roomId, withoutPermit: true });
if (seat.role !== room.Role.LISTENER) throw new Error(`seated as ${room.Role[seat.role]}`);
// What was refused says why, and what that ends.
const refused = await majlis.rooms.getRoom({ roomId: 'nosuchroom0000' }).catch((error) => error);
const why = [reasonOf(refused), Ending[refusalOf(refused).ending], passes(refused)];
const events = majlis.watch(roomId, 0n, AbortSignal.timeout(60_000));
const first = await events.next();
await majlis.stage.raiseHand({ roomId, question: 'From another language?' });
const hands = new Hands();
for await (const event of events) {
  if (!hands.take(event) || !hands.own) continue;
  const { own, place } = hands;
  console.log(JSON.stringify({ why, first: first.value.event.case, role: seat.role, userId: own.person.userId, question: own.question, position: place }));
  break;
}
// Nothing is left open: the process ends by itself.
