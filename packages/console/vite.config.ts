import tailwindcss from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { defaultClientConditions, defineConfig } from 'vite'

/** Where `npm run dev` of this package finds the API; the built console is served by the server itself. */
const server = process.env['LONGHAUL_CONSOLE_API'] ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [react(), tailwindcss()],
  resolve: { conditions: ['longhaul-source', ...defaultClientConditions] },
  server: { proxy: { '/v1': server, '/healthz': server } },
  build: {
    target: 'baseline-widely-available',
    // Files below this size would be inlined as data: addresses, which the content-security policy forbids.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 700,
  },
})
