// Finds files that import each other in a circle; as a command it fails when it found some, and says which.
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const imported = /(?:\bfrom|\bimport)\s*\(?\s*['"](\.[^'"]+)['"]/g;

/**
 * What each file of a folder imports of it, types included; comments and generated code are no reason.
 * @param {string} root
 * @returns {Map<string, string[]>}
 */
export function importsOf(root) {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => /\.(ts|js|svelte)$/.test(name));
  const files = new Set(names.map((name) => join(root, name)));
  return new Map([...files].map((file) => [file, targets(file).filter((target) => files.has(target))]));
}

/**
 * @param {string} file
 * @returns {string[]}
 */
function targets(file) {
  const code = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$|<!--[\s\S]*?-->/gm, '');
  return [...code.matchAll(imported)].flatMap(([, path]) => meant(join(dirname(file), path)));
}

/**
 * The files that an import may mean: Node's packages import the .js that a .ts becomes, and bundlers add what is left out.
 * @param {string} path
 * @returns {string[]}
 */
function meant(path) {
  return [path, path.replace(/\.js$/, '.ts'), `${path}.ts`, `${path}.js`, join(path, 'index.ts')];
}

/**
 * The circles of a graph: its strongly connected components of more than one file, or of one that imports itself (Tarjan 1972).
 * @param {Map<string, string[]>} graph
 * @returns {string[][]}
 */
export function circles(graph) {
  const index = new Map();
  const low = new Map();
  /** @type {string[]} */
  const stack = [];
  /** @type {string[][]} */
  const found = [];
  const visit = (/** @type {string} */ file) => {
    index.set(file, index.size);
    low.set(file, index.get(file));
    stack.push(file);
    for (const next of graph.get(file) ?? []) {
      if (!index.has(next)) visit(next);
      if (stack.includes(next)) low.set(file, Math.min(low.get(file), low.get(next)));
    }
    if (low.get(file) !== index.get(file)) return;
    const circle = stack.splice(stack.indexOf(file));
    if (circle.length > 1 || graph.get(file)?.includes(file)) found.push(circle.sort());
  };
  for (const file of graph.keys()) if (!index.has(file)) visit(file);
  return found;
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  for (const root of process.argv.slice(2)) {
    for (const circle of circles(importsOf(root))) {
      console.error(`imports in a circle: ${circle.map((file) => relative('.', file)).join(', ')}`);
      process.exitCode = 1;
    }
  }
}
