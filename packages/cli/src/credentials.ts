import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Problem } from './problem.ts'

/** `urlFrom` and `keyFrom` say where they came from, for messages. */
export type Credentials = { url: string; key: string; urlFrom: string; keyFrom: string }
type Given = { url?: string | undefined; key?: string | undefined }

const file = join('.longhaul', 'credentials.json')

/**
 * Options win over the environment, the environment over the nearest `.longhaul/credentials.json` upwards of the folder.
 * The file's key is only ever sent to the file's own address.
 */
export async function findCredentials(options: Given, env: Record<string, string | undefined>, folder: string): Promise<Credentials> {
  const url = options.url ?? (env['LONGHAUL_URL'] || undefined)
  const key = options.key ?? (env['LONGHAUL_API_KEY'] || undefined)
  const urlFrom = options.url !== undefined ? '--url' : 'LONGHAUL_URL'
  const keyFrom = options.key !== undefined ? '--key' : 'LONGHAUL_API_KEY'
  if (url !== undefined) checkUrl(url)
  if (url !== undefined && key !== undefined) return { url, key, urlFrom, keyFrom }

  const found = await nearest(folder)
  if (!found) {
    if (url !== undefined) throw new Problem('unauthenticated', `There is no key for ${url}.`, 'Give one with --key or LONGHAUL_API_KEY.')
    throw new Problem(
      'unauthenticated',
      `No server is known here: there is no ${file} in this folder or above it.`,
      'Start a server with npm start; it writes the file. Or name one:',
      'LONGHAUL_URL=http://… LONGHAUL_API_KEY=… npx longhaul …',
    )
  }
  if (key !== undefined) return { url: found.url, key, urlFrom: found.path, keyFrom }
  if (url !== undefined && originOf(url) !== originOf(found.url)) {
    throw new Problem(
      'unauthenticated',
      `There is no key for ${url}. The one in ${found.path} is for ${found.url} and is not sent elsewhere.`,
      'Give one with --key or LONGHAUL_API_KEY.',
    )
  }
  return { url: url ?? found.url, key: found.key, urlFrom: url === undefined ? found.path : urlFrom, keyFrom: found.path }
}

async function nearest(start: string): Promise<{ url: string; key: string; path: string } | undefined> {
  for (let folder = start; ; folder = dirname(folder)) {
    const path = join(folder, file)
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
      throw new Problem(
        'unauthenticated',
        `${path} cannot be read: ${error.code}.`,
        'It belongs to whoever started the server. Run as the same user, or give --url and --key.',
      )
    })
    if (text !== undefined) return { ...parse(text, path), path }
    if (dirname(folder) === folder) return undefined
  }
}

function parse(text: string, path: string): { url: string; key: string } {
  const remedy = 'Restart the server with npm start: it writes the file anew.'
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Problem('unauthenticated', `${path} is not JSON.`, remedy)
  }
  const { url, key } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown> // An object; its fields are looked at next.
  if (typeof url !== 'string' || typeof key !== 'string') throw new Problem('unauthenticated', `${path} must hold {"url": "…", "key": "…"}.`, remedy)
  checkUrl(url)
  return { url, key }
}

function checkUrl(url: string): void {
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw new Problem('invalid', `"${url}" is not a server's address.`, 'It must look like http://127.0.0.1:8080.')
}

const originOf = (url: string): string => new URL(url).origin.replace('//localhost', '//127.0.0.1')
