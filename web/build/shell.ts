// What the page shows before the client runs, and which parts the browser fetches at once.
import { readFileSync } from 'node:fs';
import type { HtmlTagDescriptor, IndexHtmlTransformContext, Plugin } from 'vite';
import { starPath } from '../src/brand/mark.ts';

const languages = ['en', 'ar', 'ru'];

function texts(key: string): string {
  return languages
    .map((code) => {
      const catalogue = JSON.parse(readFileSync(new URL(`../src/i18n/${code}.json`, import.meta.url), 'utf8')) as Record<string, string>;
      return `<p lang="${code}" dir="${code === 'ar' ? 'rtl' : 'ltr'}">${catalogue[key] ?? ''}</p>`;
    })
    .join('');
}

/** The star at once; words only when it takes long, or when scripts are off: nobody is left before an empty page. */
export function boot(): string {
  const mark = `<svg width="64" height="64" viewBox="0 0 64 64" aria-hidden="true"><path fill-rule="evenodd" d="${starPath(64)}"/></svg>`;
  return `<div class="boot">${mark}<div class="boot-late">${texts('boot.late')}</div><noscript>${texts('boot.noScript')}</noscript></div>`;
}

/** The client's own chunk and what it imports: fetched beside the first script rather than after it, and not in its way. */
function parts(bundle: NonNullable<IndexHtmlTransformContext['bundle']>): HtmlTagDescriptor[] {
  const chunks = Object.values(bundle).filter((file) => file.type === 'chunk');
  const client = chunks.find((chunk) => chunk.facadeModuleId?.endsWith('/src/client.ts'));
  const names = client ? [client.fileName, ...client.imports] : [];
  const already = new Set(chunks.filter((chunk) => chunk.isEntry && !chunk.facadeModuleId?.endsWith('/embed.html')).flatMap((chunk) => [chunk.fileName, ...chunk.imports]));
  return names
    .filter((name) => !already.has(name))
    .map((name) => ({ tag: 'link', attrs: { rel: 'modulepreload', crossorigin: true, fetchpriority: 'low', href: `/${name}` }, injectTo: 'head' }));
}

const early = new URL('./theme.js', import.meta.url);

/** The script that runs before the first paint: a file, since the content security policy allows none in the page. */
function theme(bundle: IndexHtmlTransformContext['bundle']): string {
  const built = Object.values(bundle ?? {}).find((file) => file.type === 'asset' && file.names.includes('theme.js'));
  return `<script src="/${built ? built.fileName : 'build/theme.js'}"></script>`;
}

/** Fills the page's frame. */
export function shell(): Plugin {
  let building = false;
  return {
    name: 'shell',
    configResolved(config) {
      building = config.command === 'build';
    },
    buildStart() {
      if (building) this.emitFile({ type: 'asset', name: 'theme.js', source: readFileSync(early, 'utf8') });
    },
    transformIndexHtml: {
      order: 'post',
      handler: (html, context) => ({
        html: html.replace('<!--boot-->', boot()).replace('<!--theme-->', theme(context.bundle)),
        tags: context.bundle && !context.filename.endsWith('embed.html') ? parts(context.bundle) : [],
      }),
    },
  };
}
