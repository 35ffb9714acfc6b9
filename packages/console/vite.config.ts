import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import tailwindcss from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { defaultClientConditions, defineConfig } from 'vite'
import type { Plugin } from 'vite'

/** Where `npm run dev` of this package finds the API. The built console is served by the server itself. */
const api = process.env['CONSOLE_API'] ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [react(), tailwindcss(), fontLicences('@fontsource-variable/hanken-grotesk', '@fontsource/ibm-plex-mono')],
  resolve: { conditions: ['longhaul-source', ...defaultClientConditions] },
  server: { proxy: { '/v1': api, '/healthz': api } },
  build: {
    target: 'baseline-widely-available',
    // Smaller files would be inlined as `data:` addresses, which the content-security policy forbids.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: 'licences/code.txt' },
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
