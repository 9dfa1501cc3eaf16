// The fonts with which the server draws the cards of link previews: the client's own, as TrueType.
import { readFileSync } from 'node:fs';
import { inflateSync } from 'node:zlib';
import type { Plugin } from 'vite';

const weight = 600;
const fonts = [
  ...['latin', 'latin-ext', 'greek', 'cyrillic', 'cyrillic-ext'].map((subset) => `ibm-plex-sans/files/ibm-plex-sans-${subset}`),
  'ibm-plex-sans-arabic/files/ibm-plex-sans-arabic-arabic',
];

/** A WOFF 1.0 file as the sfnt it holds (W3C WOFF File Format 1.0, §5). */
export function sfnt(woff: Buffer): Buffer {
  if (woff.toString('latin1', 0, 4) !== 'wOFF') throw new Error('not a WOFF file');
  const count = woff.readUInt16BE(12);
  const power = Math.floor(Math.log2(count));
  const head = Buffer.alloc(12 + 16 * count);
  woff.copy(head, 0, 4, 8);
  head.writeUInt16BE(count, 4);
  head.writeUInt16BE(16 * 2 ** power, 6);
  head.writeUInt16BE(power, 8);
  head.writeUInt16BE(16 * (count - 2 ** power), 10);
  const parts: Buffer[] = [head];
  let at = head.length;
  for (let i = 0; i < count; i++) {
    const entry = 44 + 20 * i;
    const [from, packed, whole, sum] = [4, 8, 12, 16].map((offset) => woff.readUInt32BE(entry + offset)) as [number, number, number, number];
    const stored = woff.subarray(from, from + packed);
    const table = packed < whole ? inflateSync(stored) : stored;
    woff.copy(head, 12 + 16 * i, entry, entry + 4);
    head.writeUInt32BE(sum, 16 + 16 * i);
    head.writeUInt32BE(at, 20 + 16 * i);
    head.writeUInt32BE(whole, 24 + 16 * i);
    const padded = Buffer.alloc(Math.ceil(whole / 4) * 4);
    table.copy(padded);
    parts.push(padded);
    at += padded.length;
  }
  return Buffer.concat(parts);
}

/** Emits /card/*.ttf; no page loads them. */
export function card(): Plugin {
  return {
    name: 'card',
    apply: 'build',
    generateBundle() {
      for (const name of fonts) {
        const file = new URL(`../node_modules/@fontsource/${name}-${weight}-normal.woff`, import.meta.url);
        this.emitFile({ type: 'asset', fileName: `card/${name.split('/').at(-1)}.ttf`, source: sfnt(readFileSync(file)) });
      }
    },
  };
}
