import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { gzipSync } from 'node:zlib'
import tailwindcss from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { defaultClientConditions, defineConfig } from 'vite'
import type { Plugin } from 'vite'

/** Where `npm run dev` of this package finds the API. The built console is served by the server itself. */
const api = process.env['CONSOLE_API'] ?? 'http://127.0.0.1:8080'

/** The most that is loaded before the first page shows, gzipped. A change that needs more says why here. */
const shellBytesMax = 150_000

export default defineConfig({
  plugins: [react(), tailwindcss(), fontLicences('@fontsource-variable/hanken-grotesk', '@fontsource/ibm-plex-mono'), preloads(), shellLimit(shellBytesMax)],
  resolve: { conditions: ['longhaul-source', ...defaultClientConditions] },
  server: { proxy: { '/v1': api, '/healthz': api } },
  build: {
    target: 'baseline-widely-available',
    // Smaller files would be inlined as `data:` addresses, which the content-security policy forbids.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: 'licences/code.txt' },
    // What the first page needs is one file: some fifty small ones pack worse, and each is a request. So are the small parts that many pages share.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: 'shell', tags: ['$initial'], priority: 1 },
            {
              name: 'parts',
              test: /\/src\/(ui|api)\/|\/src\/pages\/[A-Za-z-]+\.tsx?$|\/src\/pages\/[a-z]+\/[a-z-]+\.ts$|\/protocol\/src\/(attachment-refs|live-frame)\.ts$|\/lucide-react\//,
              minShareCount: 3,
            },
          ],
        },
      },
    },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 500,
  },
})

/** The fonts' licence asks to travel with them. Those of the bundled code are written by `build.license`. */
function fontLicences(...packages: string[]): Plugin {
  const require = createRequire(import.meta.url)
  return {
    name: 'font-licences',
    apply: 'build',
    async generateBundle() {
      for (const name of packages)
        this.emitFile({ type: 'asset', fileName: `licences/${name.split('/').at(-1)}.txt`, source: await readFile(require.resolve(`${name}/LICENSE`), 'utf8') })
    },
  }
}

/** The first pages of most visits. What they and their texts are made of is asked for beside the shell, not after it has run: `public/appearance.js` reads which. */
const firstPages = { '/': 'pages/home/HomePage.tsx', '/runs/': 'pages/runs/RunPage.tsx' }

function preloads(): Plugin {
  return {
    name: 'preloads',
    apply: 'build',
    generateBundle: {
      order: 'post',
      handler(_, bundle) {
        const chunks = Object.values(bundle).filter((file) => file.type === 'chunk')
        const page = bundle['index.html']
        if (page?.type !== 'asset') return this.error('There is no page to preload from.')
        const closure = (name: string, found = new Set<string>()): Set<string> => {
          if (found.has(name)) return found
          found.add(name)
          const file = bundle[name]
          if (file?.type === 'chunk') for (const each of file.imports) closure(each, found)
          return found
        }
        const ofShell = new Set([...String(page.source).matchAll(/src="\/([^"]+)"/g)].flatMap(([, name = '']) => [...closure(name)]))
        const filesOf = (source: string): string[] => {
          const chunk = chunks.find(({ moduleIds }) => moduleIds.some((id) => id.endsWith(`/src/${source}`)))
          if (!chunk) return this.error(`Nothing was made of ${source}.`)
          return [...closure(chunk.fileName)].filter((name) => !ofShell.has(name)).map((name) => `/${name}`)
        }
        const texts = (language: string) => ({
          '/': filesOf(`i18n/${language}/start.ts`),
          '/runs/': [`i18n/${language}/start.ts`, `i18n/${language}.ts`].flatMap(filesOf),
        })
        const preload = {
          pages: Object.fromEntries(Object.entries(firstPages).map(([path, source]) => [path, filesOf(source)])),
          en: texts('en'),
          zh: texts('zh'),
        }
        page.source = String(page.source).replace('<html ', `<html data-preload='${JSON.stringify(preload)}' `)
      },
    },
  }
}

/** Says when the shell is larger than that, or has zod in it, and fails `npm run check`, not the build of somebody who only installs: the page itself, what it imports at once, its styles and the larger language's texts of the start. */
function shellLimit(bytesMax: number): Plugin {
  return {
    name: 'shell-limit',
    apply: 'build',
    // After the page was written, which is made last.
    generateBundle: {
      order: 'post',
      handler(_, bundle) {
        const complain = (problem: string) => (process.env['SHELL_LIMIT'] === 'strict' ? this.error(problem) : this.warn(problem))
        const files = new Set<string>()
        const page = bundle['index.html']
        const named = page?.type === 'asset' ? String(page.source).matchAll(/(?:src|href)="\/([^"]+)"/g) : []
        const open = ['index.html', ...[...named].map(([, name = '']) => name)]
        for (let name = open.pop(); name !== undefined; name = open.pop()) {
          const file = bundle[name]
          if (!file || files.has(name)) continue
          files.add(name)
          if (file.type !== 'chunk') continue
          open.push(...file.imports)
          const zod = file.moduleIds.find((id) => id.includes('/node_modules/zod/'))
          if (zod) complain(`The shell loads zod (${name}). Take what it needs from @longhaul/protocol/plain, or load what needs schemas with its page.`)
        }
        const packed = (name: string) => {
          const file = bundle[name]
          return file ? gzipSync(file.type === 'chunk' ? file.code : file.source).length : 0
        }
        const texts = Object.values(bundle).flatMap((file) =>
          file.type === 'chunk' && /\/src\/i18n\/(en|zh)\/start\.ts$/.test(file.facadeModuleId ?? '') ? packed(file.fileName) : [],
        )
        if (texts.length !== 2 || files.size < 3) complain('The parts of the shell were not found: see shellLimit in vite.config.ts.')
        const bytes = [...files].reduce((sum, name) => sum + packed(name), Math.max(...texts))
        this.info(`The shell has ${bytes} bytes gzipped, of at most ${bytesMax}.`)
        if (bytes > bytesMax)
          complain(
            `The shell has ${bytes} bytes gzipped, ${bytes - bytesMax} more than it may: ${[...files].map((name) => `${name} ${packed(name)}`).join(', ')}. Load what only some pages need with them.`,
          )
      },
    },
  }
}
