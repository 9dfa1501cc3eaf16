// Circles of imports are found in whatever they go through, and none is where there is none.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { circles, importsOf } from './circles.js';

let root: string;
beforeEach(() => void (root = mkdtempSync(join(tmpdir(), 'circles-'))));
afterEach(() => rmSync(root, { recursive: true }));

function found(files: Record<string, string>): string[][] {
  for (const [name, code] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), code);
  }
  return circles(importsOf(root)).map((circle) => circle.map((file) => relative(root, file)));
}

test('a circle through a component, a type and a later import is one', () => {
  const files = {
    'a.ts': "import { b } from './b.svelte.ts';\nexport const a = b;",
    'b.svelte.ts': "import type { C } from './parts/C.svelte';\nexport const b: C | null = null;",
    'parts/C.svelte': "<script lang=\"ts\">\n  const later = () => import('../a.ts');\n</script>",
    'd.ts': "export * from './a.ts';",
  };
  expect(found(files)).toEqual([['a.ts', 'b.svelte.ts', 'parts/C.svelte']]);
});

test('what only leads on, or stands in a comment, is none', () => {
  expect(found({ 'a.ts': "import './b.js';\nimport './c.ts';", 'b.ts': "import './c.ts';", 'c.ts': "// import './a.ts';\nexport const c = 1;" })).toEqual([]);
});

test('an import that leaves the ending out is one like any other', () => {
  const files = { 'a.ts': "import './b.svelte';", 'b.svelte.ts': "import './parts';", 'parts/index.ts': "import '../a';" };
  expect(found(files)).toEqual([['a.ts', 'b.svelte.ts', 'parts/index.ts']]);
});

test('a file that imports itself, and the .ts that a .js import means, are seen', () => {
  expect(found({ 'a.ts': "import './a.ts';", 'b.ts': "import './c.js';", 'c.ts': "import './b.js';" })).toEqual([['a.ts'], ['b.ts', 'c.ts']]);
});
