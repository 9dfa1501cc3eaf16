// What the build makes of mark and contracts.
import { fromBinary } from '@bufbuild/protobuf';
import { base64Decode } from '@bufbuild/protobuf/wire';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { readFileSync } from 'node:fs';
import { inflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { starCorners } from '../src/brand/mark.ts';
import { slim } from './contracts.ts';
import { png, svg } from './icons.ts';
import { boot } from './shell.ts';

test('the star has sixteen corners, eight of them on the outer circle', () => {
  const reach = starCorners(50, 50).map(([x, y]) => Math.hypot(x - 50, y - 50));
  expect(reach.filter((r) => Math.abs(r - 50) < 1e-9)).toHaveLength(8);
  expect(Math.max(...reach)).toBeLessThanOrEqual(50 + 1e-9);
});

test('an icon is a PNG of the size asked for, teal at the edge and paper in the star', () => {
  const size = 64;
  const file = png(size);
  expect(file.subarray(1, 4).toString('latin1')).toBe('PNG');
  expect(file.readUInt32BE(16)).toBe(size);
  const length = file.readUInt32BE(33);
  const rows = inflateSync(file.subarray(41, 41 + length));
  const pixel = (x: number, y: number): number[] => [...rows.subarray(y * (1 + size * 3) + 1 + x * 3).subarray(0, 3)];
  expect(pixel(0, 0)).toEqual([15, 94, 92]);
  expect(pixel(32, 14)).toEqual([247, 243, 234]);
  expect(pixel(32, 32)).toEqual([15, 94, 92]);
});

test('the favicon is one path', () => {
  expect(svg().match(/<path/g)).toHaveLength(1);
});

test('a slim contract keeps its messages and methods and drops the rules', () => {
  const path = new URL('../src/gen/majlis/invite/v1/invite_service_pb.ts', import.meta.url);
  const code = readFileSync(path, 'utf8');
  const lean = slim(code);
  const file = (text: string) => fromBinary(FileDescriptorProtoSchema, base64Decode(/fileDesc\("([^"]+)"/.exec(text)?.[1] ?? ''));
  expect(lean.length).toBeLessThan(code.length);
  expect(lean).not.toContain('buf/validate');
  expect(file(lean).messageType.map((message) => message.name)).toEqual(file(code).messageType.map((message) => message.name));
  expect(file(lean).service[0]?.method).toHaveLength(file(code).service[0]?.method.length ?? -1);
});

test('a page whose scripts are late or forbidden still says so, in three languages', () => {
  const page = boot();
  for (const code of ['en', 'ar', 'ru']) expect(page.split(`lang="${code}"`)).toHaveLength(3);
  expect(page).toContain('<noscript>');
  expect(page).toMatch(/dir="rtl">[^<]*[\u0600-\u06ff]/);
  // The content security policy allows neither scripts nor styles in the page.
  expect(page).not.toMatch(/<script|style=|onload=/);
});
