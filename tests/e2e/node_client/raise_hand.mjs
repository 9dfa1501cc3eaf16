// Joins a room, raises a hand over native gRPC and prints what its stream tells of it. It knows the contracts, as the
// descriptor set compiled from protos/, and a gRPC library; nothing of this project's code.
// Arguments: URL, room, descriptor set; token in MAJLIS_TOKEN.
import { readFileSync } from 'node:fs';
import grpc from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer } from '@grpc/proto-loader';

const [url, roomId, contracts] = process.argv.slice(2);
const { majlis } = grpc.loadPackageDefinition(loadFileDescriptorSetFromBuffer(readFileSync(contracts), { longs: Number, oneofs: true }));
const { grpc: address } = await (await fetch(new URL('/.well-known/majlis.json', url))).json();
const credentials = grpc.credentials.createInsecure();
const rooms = new majlis.room_directory.v1.RoomService(address, credentials);
const stage = new majlis.room_directory.v1.StageService(address, credentials);
const streams = new majlis.gateway.v1.EventService(address, credentials);
const metadata = new grpc.Metadata();
metadata.set('authorization', `Bearer ${process.env.MAJLIS_TOKEN}`);

/** One unary call, with a deadline. */
function call(service, method, request) {
  return new Promise((resolve, reject) => {
    service[method](request, metadata, { deadline: Date.now() + 10_000 }, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

const { seat } = await call(rooms, 'JoinRoom', { room_id: roomId, without_permit: true });
let first;
for await (const { event } of streams.Watch({ room_id: roomId }, metadata, { deadline: Date.now() + 20_000 })) {
  if (!first) {
    first = event.event;
    await call(stage, 'RaiseHand', { room_id: roomId, question: 'From another language?' });
  }
  if (event.event !== 'own_hand' || !event.own_hand.hand) continue;
  const { hand, position } = event.own_hand;
  console.log(JSON.stringify({ first, role: seat.role, userId: hand.person.user_id, question: hand.question, position }));
  break;
}
process.exit(0);
