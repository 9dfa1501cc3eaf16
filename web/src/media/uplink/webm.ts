// Reads Opus packets out of the WebM that browsers record, piece by piece as it comes (RFC 8794, Matroska). Pure.
import { rate, samplesOf, type Packet } from './packets.ts';

const segment = 0x18538067;
const cluster = 0x1f43b675;
const blockGroup = 0xa0;
const timecode = 0xe7;
const simpleBlock = 0xa3;
const block = 0xa1;
/** What is looked into; every other element is skipped whole. */
const opened = new Set([segment, cluster, blockGroup]);
/** No element that is read whole is larger: what claims to be is no recording of a voice. */
const largest = 65_536;
const perMillisecond = rate / 1000;
/** Recorders stamp in milliseconds: a packet this near to where the one before ended follows it. */
const near = 20 * perMillisecond;

interface Variable {
  value: number;
  length: number;
}

/** A number of variable length: its first bits tell how long it is. Null while its bytes are not all there. */
function numberAt(bytes: Uint8Array, at: number, keepMarker: boolean): Variable | null {
  const first = bytes[at];
  if (first === undefined) return null;
  const length = Math.clz32(first) - 23;
  if (length > 8) throw new Error('no WebM');
  if (at + length > bytes.length) return null;
  let value = keepMarker ? first : first & ((1 << (8 - length)) - 1);
  let unknown = !keepMarker && value === (1 << (8 - length)) - 1;
  for (let index = 1; index < length; index++) {
    const next = bytes[at + index] ?? 0;
    unknown &&= next === 0xff;
    value = value * 256 + next;
  }
  return { value: unknown ? Infinity : value, length };
}

export class WebmPackets {
  #bytes = new Uint8Array(0);
  /** Bytes of an element that is not looked at, and still come. */
  #skipping = 0;
  #cluster = 0;
  #expected: number | null = null;

  /** Takes the next bytes of the recording, and gives the packets that are whole now. Throws where it is no WebM. */
  push(bytes: Uint8Array): Packet[] {
    const joined = new Uint8Array(this.#bytes.length + bytes.length);
    joined.set(this.#bytes);
    joined.set(bytes, this.#bytes.length);
    const packets: Packet[] = [];
    let at = 0;
    while (at < joined.length) {
      const took = this.#skipping > 0 ? this.#skip(joined.length - at) : this.#element(joined, at, packets);
      if (took === 0) break;
      at += took;
    }
    this.#bytes = joined.slice(at);
    return packets;
  }

  #skip(there: number): number {
    const took = Math.min(this.#skipping, there);
    this.#skipping -= took;
    return took;
  }

  /** Reads one element, or the head of one that is looked into; returns its bytes, 0 while they are not all there. */
  #element(bytes: Uint8Array, at: number, packets: Packet[]): number {
    const id = numberAt(bytes, at, true);
    const size = id && numberAt(bytes, at + id.length, false);
    if (!id || !size) return 0;
    const head = id.length + size.length;
    if (opened.has(id.value)) return head;
    if (id.value !== timecode && id.value !== simpleBlock && id.value !== block) {
      if (size.value === Infinity) throw new Error('no WebM');
      this.#skipping = size.value;
      return head;
    }
    if (size.value > largest) throw new Error('no WebM');
    if (at + head + size.value > bytes.length) return 0;
    const content = bytes.subarray(at + head, at + head + size.value);
    if (id.value === timecode) this.#cluster = content.reduce((sum, byte) => sum * 256 + byte, 0);
    else this.#block(content, packets);
    return head + size.value;
  }

  #block(content: Uint8Array, packets: Packet[]): void {
    const track = numberAt(content, 0, false);
    if (!track || content.length < track.length + 4) throw new Error('no WebM');
    const offset = new DataView(content.buffer, content.byteOffset + track.length, 2).getInt16(0);
    const opus = content.slice(track.length + 3);
    const stamped = (this.#cluster + offset) * perMillisecond;
    const follows = this.#expected !== null && Math.abs(stamped - this.#expected) < near;
    const at = follows && this.#expected !== null ? this.#expected : stamped;
    this.#expected = at + samplesOf(opus);
    packets.push({ at, opus });
  }
}
