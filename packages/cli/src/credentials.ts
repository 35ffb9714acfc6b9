import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { Problem } from './problem.ts'

/** `urlFrom` and `keyFrom` say where they came from, for messages. */
export type Credentials = { url: string; key: string; urlFrom: string; keyFrom: string }
type Given = { url?: string | undefined; key?: string | undefined }

const file = join('.longhaul', 'credentials.json')

/**
 * Options win over the environment, the environment over what `longhaul login` kept for that address, and that over the file of the server
 * whose folder `LONGHAUL_DATA_DIR` names, or else the nearest `.longhaul/credentials.json` upwards of the folder. A kept key is only ever sent to the address that it is kept for.
 */
export async function findCredentials(options: Given, env: Record<string, string | undefined>, folder: string): Promise<Credentials> {
  const url = options.url ?? (env['LONGHAUL_URL'] || undefined)
  const key = options.key ?? (env['LONGHAUL_API_KEY'] || undefined)
  const urlFrom = options.url !== undefined ? '--url' : 'LONGHAUL_URL'
  const keyFrom = options.key !== undefined ? '--key' : 'LONGHAUL_API_KEY'
  if (url !== undefined) checkUrl(url)
  if (url !== undefined && key !== undefined) return { url, key, urlFrom, keyFrom }

  const found = await fromServer(env, folder)
  const kept = await readLogins(env)
  const at = url ?? found?.url ?? kept.current
  const login = at === undefined || key !== undefined ? undefined : kept.logins[originOf(at)]
  if (at !== undefined && login)
    return { url: at, key: login.token, urlFrom: url !== undefined ? urlFrom : (found?.path ?? kept.path), keyFrom: `longhaul login (${kept.path})` }
  if (key !== undefined && url === undefined && !found && kept.current !== undefined) return { url: kept.current, key, urlFrom: kept.path, keyFrom }
  if (!found) {
    if (url !== undefined)
      throw new Problem(
        'unauthenticated',
        `There is no key for ${url}.`,
        'Give one with --key or LONGHAUL_API_KEY, or sign in:',
        `npx longhaul login --url ${url}`,
      )
    throw new Problem(
      'unauthenticated',
      `No server is known here: there is no ${file} in this folder or above it.`,
      'Start a server with npm start; it writes the file, in the folder of LONGHAUL_DATA_DIR if it has one. Or name one:',
      'LONGHAUL_URL=http://… LONGHAUL_API_KEY=… npx longhaul …',
      'Or sign in to one: npx longhaul login --url https://…',
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

/** Which server to sign in to: as above, without a key. */
export async function findUrl(given: string | undefined, env: Record<string, string | undefined>, folder: string): Promise<string> {
  const url = given ?? (env['LONGHAUL_URL'] || undefined) ?? (await fromServer(env, folder))?.url ?? (await readLogins(env)).current
  if (url === undefined) throw new Problem('invalid', 'Which server?', 'Name it: npx longhaul login --url https://…')
  checkUrl(url)
  return url
}

type Logins = { current?: string | undefined; logins: Record<string, { token: string; name: string }> }

function loginsFile(env: Record<string, string | undefined>): string | undefined {
  const home = env['HOME'] || env['USERPROFILE']
  return home && join(home, '.longhaul', 'logins.json')
}

async function readLogins(env: Record<string, string | undefined>): Promise<Logins & { path: string }> {
  const path = loginsFile(env)
  const text = path && (await readFile(path, 'utf8').catch(() => undefined)) // Absent: nobody has signed in here.
  if (!path || !text) return { path: path ?? '', logins: {} }
  try {
    return { ...(JSON.parse(text) as Logins), path } // As `keepLogin` wrote it.
  } catch {
    throw new Problem('unauthenticated', `${path} is not JSON.`, 'Remove it and sign in again: npx longhaul login')
  }
}

/** Where somebody is signed in from here. No tokens. */
export async function listLogins(env: Record<string, string | undefined>): Promise<{ url: string; name: string; isCurrent: boolean }[]> {
  const { current, logins } = await readLogins(env)
  return Object.entries(logins).map(([url, { name }]) => ({ url, name, isCurrent: current !== undefined && originOf(current) === url }))
}

/** Makes it the one that is asked when a command names none. */
export async function useLogin(env: Record<string, string | undefined>, url: string): Promise<{ url: string; name: string; isCurrent: boolean }> {
  checkUrl(url)
  const { logins } = await readLogins(env)
  const login = logins[originOf(url)]
  if (!login) throw new Problem('not_found', `You are not signed in to ${url} from here.`, `Sign in: npx longhaul login --url ${url}`)
  await keepLogin(env, originOf(url), login)
  return { url: originOf(url), name: login.name, isCurrent: true }
}

/** Without a login it is forgotten. Only the owner may read the file, which is whole at every moment. */
export async function keepLogin(env: Record<string, string | undefined>, url: string, login: { token: string; name: string } | undefined): Promise<void> {
  const { path, current, logins } = await readLogins(env)
  if (path === '') throw new Problem('invalid', 'There is no home folder to keep the login in.', 'Set HOME.')
  const { [originOf(url)]: _, ...others } = logins
  const next: Logins = { current: login ? url : current, logins: login ? { ...others, [originOf(url)]: login } : others }
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const draft = `${path}.${process.pid}`
  await writeFile(draft, `${JSON.stringify(next, null, 2)}\n`, { mode: 0o600 })
  await rename(draft, path)
}

type Written = { url: string; key: string; path: string }

/** What a server wrote when it started. */
async function fromServer(env: Record<string, string | undefined>, folder: string): Promise<Written | undefined> {
  const dataDir = env['LONGHAUL_DATA_DIR']
  return (dataDir ? await readWritten(resolve(folder, dataDir, basename(file))) : undefined) ?? (await nearest(folder))
}

async function nearest(start: string): Promise<Written | undefined> {
  for (let folder = start; ; folder = dirname(folder)) {
    const found = await readWritten(join(folder, file))
    if (found !== undefined || dirname(folder) === folder) return found
  }
}

async function readWritten(path: string): Promise<Written | undefined> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw new Problem(
      'unauthenticated',
      `${path} cannot be read: ${error.code}.`,
      'It belongs to whoever started the server. Run as the same user, or give --url and --key.',
    )
  })
  return text === undefined ? undefined : { ...parse(text, path), path }
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
