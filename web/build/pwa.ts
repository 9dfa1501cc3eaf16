// Makes the client installable: a manifest and a small service worker that keeps the shell for when there is no network.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Plugin } from 'vite';

const manifest = {
  name: 'Majlis',
  short_name: 'Majlis',
  description: 'Invitation-only live audio rooms',
  id: '/',
  start_url: '/',
  display: 'standalone',
  dir: 'auto',
  theme_color: '#0f5e5c',
  background_color: '#f7f3ea',
  icons: [
    { src: '/icon.svg', sizes: 'any', type: 'image/svg+xml', purpose: 'any' },
    { src: '/icon-192.png', sizes: '192x192', type: 'image/png', purpose: 'any maskable' },
    { src: '/icon-512.png', sizes: '512x512', type: 'image/png', purpose: 'any maskable' },
  ],
};

/** The worker's source with the names of this build's files in it. */
function worker(version: string, files: string[]): string {
  const template = readFileSync(new URL('./worker.js', import.meta.url), 'utf8');
  return template.replace("'@VERSION@'", JSON.stringify(version)).replace("['@FILES@']", JSON.stringify(files));
}

/** Emits the manifest and the worker, and links the manifest from the page. */
export function pwa(): Plugin {
  return {
    name: 'pwa',
    apply: 'build',
    enforce: 'post',
    // What other sites show is not for installing.
    transformIndexHtml: (_html, { filename }) =>
      filename.endsWith('embed.html') ? [] : [{ tag: 'link', attrs: { rel: 'manifest', href: '/manifest.webmanifest' }, injectTo: 'head' }],
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        // Fonts are fetched when a script needs them and kept then; everything else is kept at once.
        const names = Object.keys(bundle).filter((name) => /\.(js|css|svg)$/.test(name)).sort();
        const digest = createHash('sha256');
        for (const name of names) {
          const file = bundle[name];
          if (file) digest.update(name).update('code' in file ? file.code : file.source);
        }
        const files = ['/', ...names.map((name) => `/${name}`)];
        this.emitFile({ type: 'asset', fileName: 'manifest.webmanifest', source: JSON.stringify(manifest) });
        this.emitFile({ type: 'asset', fileName: 'sw.js', source: worker(digest.digest('hex').slice(0, 12), files) });
      },
    },
  };
}
