/** The console's built files. Every other address is one of its pages and gets the same document. */
import { readFile, stat } from 'node:fs/promises'
import { extname, join, sep } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import type { Context } from 'hono'
import { AppError } from '../kernel/index.ts'
import { consolePolicy } from './guard.ts'

const mediaTypes: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.json': 'application/json',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
}

export function consoleFiles(folder: string): (c: Context) => Promise<Response> {
  return async (c) => {
    c.header('content-security-policy', consolePolicy)
    const isAsset = c.req.path.startsWith('/assets/')
    // Names on pages have dots, too: `/settings/hooks/concierge.slack` is one for whoever asks for a page.
    const isPage = !isAsset && (!extname(c.req.path) || c.req.header('accept')?.includes('text/html') === true)
    const found = (await find(folder, c.req.path)) ?? (isPage ? await find(folder, '/index.html') : undefined)
    if (!found && !(await find(folder, '/index.html'))) return c.html(notBuilt, 503)
    if (!found) throw new AppError('not_found', 'There is no such file.')
    // A hash of the content is in the names under `assets`; the others may change with the next version.
    c.header('cache-control', isAsset ? 'public, max-age=31536000, immutable' : 'no-cache')
    const coding = isPacked.test(found.file) ? codingFor(c.req.header('accept-encoding')) : undefined
    const tag = `"${found.tag}${coding ? `-${coding}` : ''}"`
    c.header('etag', tag)
    c.header('vary', 'accept-encoding')
    if (c.req.header('if-none-match') === tag) return c.body(null, 304)
    if (coding) c.header('content-encoding', coding)
    const bytes = coding ? await pack(found, coding) : await readFile(found.file)
    return c.body(new Uint8Array(bytes), 200, { 'content-type': mediaTypes[extname(found.file)] ?? 'application/octet-stream' })
  }
}

type Found = { file: string; tag: string }
type Coding = 'br' | 'gzip'

/** Fonts and pictures are packed already. */
const isPacked = /\.(html|js|css|svg|json|txt|webmanifest)$/

const packers: Record<Coding, (bytes: Uint8Array) => Promise<Buffer>> = {
  // The tenth and eleventh level take seconds for what they save.
  br: (bytes) => promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }),
  gzip: (bytes) => promisify(gzip)(bytes),
}

/** What was packed once is kept: a console has some hundred files, packed less than a megabyte together. */
const packed = new Map<string, { tag: string; bytes: Promise<Buffer> }>()

function pack({ file, tag }: Found, coding: Coding): Promise<Buffer> {
  const key = `${coding} ${file}`
  const known = packed.get(key)
  if (known?.tag === tag) return known.bytes
  const bytes = readFile(file).then(packers[coding])
  packed.set(key, { tag, bytes })
  bytes.catch(() => packed.delete(key)) // Whoever asked hears of it; the next one tries again.
  return bytes
}

function codingFor(accepted = ''): Coding | undefined {
  const codings = accepted.split(',').map((each) => each.trim().toLowerCase())
  return (['br', 'gzip'] as const).find((coding) => codings.some((each) => each === coding || (each.startsWith(`${coding};`) && !/;\s*q=0(\.0*)?$/.test(each))))
}

async function find(folder: string, path: string): Promise<Found | undefined> {
  const parts = path.split('/').filter(Boolean)
  // The path comes decoded or not; neither may lead out of the folder, nor to hidden files.
  if (parts.length === 0 || parts.some((part) => part.startsWith('.') || !/^[\w.~-]+$/.test(part))) return undefined
  const file = join(folder, ...parts)
  if (!file.startsWith(folder + sep)) return undefined
  const found = await stat(file).catch(() => undefined)
  return found?.isFile() ? { file, tag: `${found.size.toString(36)}-${Math.trunc(found.mtimeMs).toString(36)}` } : undefined
}

const notBuilt = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Longhaul</title>
<h1>The console is not built yet</h1>
<p>The server works. To build its console, run this in Longhaul’s folder and load the page again:</p>
<pre>npm run build -w @longhaul/console</pre>
<p>The API is at <code>/v1</code>; the command line, <code>npx longhaul</code>, needs no console.</p>
`
