// Waits before a full room with the project's own client: node wait_in_line.mjs CLIENT URL ROOM GIVE_UP_AFTER_PLACES
import { pathToFileURL } from 'node:url';

const [path, url, roomId, most] = process.argv.slice(2);
const { connect, join, reasonOf } = await import(pathToFileURL(path).href);
const majlis = await connect({ url, token: process.env.MAJLIS_TOKEN });
const refused = await majlis.rooms.joinRoom({ roomId }).catch(reasonOf);
const leaving = new AbortController();
const places = [];
const onPlace = (place) => {
  places.push(place.position);
  if (places.length >= Number(most)) leaving.abort();
};
const role = await join(majlis, { roomId }, { onPlace, signal: leaving.signal }).then(
  ({ seat }) => seat.role,
  (error) => error.name,
);
console.log(JSON.stringify({ refused, places, role }));
