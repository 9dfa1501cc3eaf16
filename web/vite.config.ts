// How the web client is built, served while developing, and tested.
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { card } from './build/card.ts';
import { compress } from './build/compress.ts';
import { icons } from './build/icons.ts';
import { pwa } from './build/pwa.ts';
import { shell } from './build/shell.ts';
import { slimContracts } from './build/contracts.ts';

const backend = process.env['MAJLIS_URL'] ?? 'http://localhost:8080';
const proxied = ['^/majlis\\.', '^/events/', '^/captions/', '^/whip/', '^/whep/', '^/media/', '^/speak/', '^/listen/', '^/embed/.*/state$', '^/\\.well-known/'];

export default defineConfig({
  plugins: [slimContracts(), svelte(), icons(), shell(), card(), pwa(), compress()],
  build: { target: 'es2022', assetsInlineLimit: 0, cssCodeSplit: false, modulePreload: { polyfill: false }, chunkSizeWarningLimit: 400, rollupOptions: { input: ['index.html', 'embed.html'] } },
  server: {
    proxy: Object.fromEntries(proxied.map((path) => [path, { target: backend, changeOrigin: true }])),
  },
  resolve: process.env['VITEST'] ? { conditions: ['browser'] } : {},
  test: { environment: 'node', include: ['src/**/*.test.ts', 'build/**/*.test.ts', '../sdk/typescript/tests/**/*.test.ts'] },
});
