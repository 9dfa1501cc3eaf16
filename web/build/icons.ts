// Makes favicon and app icons from the mark: no picture is kept in the repository.
import { crc32, deflateSync } from 'node:zlib';
import type { Plugin } from 'vite';
import { starCorners, starPath, type Point } from '../src/brand/mark.ts';

const teal = [15, 94, 92] as const;
const paper = [247, 243, 234] as const;
const samples = 3;

function inside(points: readonly Point[], x: number, y: number): boolean {
  let hit = false;
  for (let i = 0, j = points.length - 1; i < points.length; j = i++) {
    const [ax, ay] = points[i] as Point;
    const [bx, by] = points[j] as Point;
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) hit = !hit;
  }
  return hit;
}

/** RGB rows of the icon: the mark in paper colour on a full square of teal, safe for round masks. */
function draw(size: number): Buffer {
  const outer = starCorners(size / 2, size * 0.36);
  const core = starCorners(size / 2, size * 0.36 * 0.44);
  const rows = Buffer.alloc(size * (1 + size * 3));
  // The star is the same in all four quarters: one is drawn, the others mirror it.
  for (let y = 0; y < size / 2; y++) {
    for (let x = 0; x < size / 2; x++) {
      const share = covered(outer, core, x, y);
      const colour = teal.map((channel, c) => Math.round(channel * (1 - share) + (paper[c] ?? 0) * share));
      for (const row of [y, size - 1 - y]) {
        for (const column of [x, size - 1 - x]) rows.set(colour, row * (1 + size * 3) + 1 + column * 3);
      }
    }
  }
  return rows;
}

/** Which share of a pixel the mark covers. */
function covered(outer: readonly Point[], core: readonly Point[], x: number, y: number): number {
  let hits = 0;
  for (let s = 0; s < samples * samples; s++) {
    const px = x + ((s % samples) + 0.5) / samples;
    const py = y + (Math.floor(s / samples) + 0.5) / samples;
    if (inside(outer, px, py) && !inside(core, px, py)) hits++;
  }
  return hits / (samples * samples);
}

function chunk(kind: string, body: Buffer): Buffer {
  const data = Buffer.concat([Buffer.from(kind, 'latin1'), body]);
  const frame = Buffer.alloc(8 + data.length);
  frame.writeUInt32BE(body.length, 0);
  data.copy(frame, 4);
  frame.writeUInt32BE(crc32(data), 4 + data.length);
  return frame;
}

/** The icon as a PNG file (ISO/IEC 15948): 8-bit RGB, no filter. */
export function png(size: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(draw(size), { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** The mark as a standalone SVG that fits light and dark tab bars. */
export function svg(): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><style>path{fill:#0f5e5c}@media(prefers-color-scheme:dark){path{fill:#63c5bb}}</style><path fill-rule="evenodd" d="${starPath(64)}"/></svg>`;
}

/** Emits /icon.svg, /icon-192.png and /icon-512.png; while developing they are served from memory. */
export function icons(): Plugin {
  const made: Record<string, () => Buffer | string> = {
    'icon.svg': svg,
    'icon-192.png': () => png(192),
    'icon-512.png': () => png(512),
  };
  return {
    name: 'icons',
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        const make = made[(request.url ?? '').slice(1)];
        if (!make) return next();
        response.setHeader('content-type', request.url?.endsWith('.svg') ? 'image/svg+xml' : 'image/png');
        response.end(make());
      });
    },
    generateBundle() {
      for (const [fileName, make] of Object.entries(made)) this.emitFile({ type: 'asset', fileName, source: make() });
    },
  };
}
