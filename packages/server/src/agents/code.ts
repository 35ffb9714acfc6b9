/** An agent's code: read from a folder or a request, named by its digest, packed for the database, laid out where workers find it. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { CodeFile, Name, codeBytesMax, codeFilesMax, isNoCode } from '@longhaul/protocol'
import { z } from 'zod'
import { AppError, newId } from '../kernel/index.ts'

export type Code = { version: string; files: readonly { path: string; content: Buffer }[] }

/** Folders directly under `folder` that hold an agent. */
export async function findAgentFolders(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new AppError('invalid', `The agents' folder ${folder} cannot be read. Make it, or set LONGHAUL_AGENTS_DIR to the one you mean.`, cause)
  })
  return entries
    .filter((entry) => entry.isDirectory() && ['agent.ts', 'agent.json'].some((file) => existsSync(join(folder, entry.name, 'agent', file))))
    .map((entry) => join(folder, entry.name))
    .toSorted()
}

/** The name of the agent that a folder holds. */
export function agentNameOf(folder: string): string {
  const name = Name.safeParse(basename(folder))
  if (!name.success) throw new AppError('invalid', `The folder ${folder} cannot name an agent: use lower-case letters, digits and hyphens.`)
  return name.data
}

/** The code in a folder on this machine. */
export async function readCode(folder: string): Promise<Code> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((path) => !isNoCode(path))
  if (paths.length > codeFilesMax) throw new AppError('too_large', `${folder} has ${paths.length} files; at most ${codeFilesMax} are deployed.`)
  const files: { path: string; content: Buffer }[] = []
  let bytes = 0
  for (const path of paths) {
    const content = await readFile(join(folder, path))
    bytes += content.length
    if (bytes > codeBytesMax) throw new AppError('too_large', `${folder} has more than ${codeBytesMax} bytes; that is too much code for an agent.`)
    files.push({ path, content })
  }
  return named(files)
}

/** The code in a request. */
export function codeOf(files: CodeFile[]): Code {
  const bytes = files.reduce((sum, { base64 }) => sum + Math.floor((base64.length * 3) / 4), 0)
  if (bytes > codeBytesMax) throw new AppError('too_large', `The files have ${bytes} bytes; at most ${codeBytesMax} are taken.`)
  const twice = files.find(({ path }, at) => files.findIndex((other) => other.path === path) !== at)
  if (twice) throw new AppError('invalid', `files: ${twice.path} comes twice.`)
  const known = new Set(files.map(({ path }) => path))
  const below = files.find(({ path }) => path.split('/').some((_, at, parts) => at > 0 && known.has(parts.slice(0, at).join('/'))))
  if (below) throw new AppError('invalid', `files: ${below.path} lies below another file.`)
  if (!files.some(({ path }) => /^agent\/agent\.(ts|js|mts|mjs|json)$/.test(path))) {
    throw new AppError(
      'invalid',
      'files: there is no agent/agent.ts and no agent/agent.json. Send the files of the folder that contains `agent/`, with their paths in it.',
    )
  }
  const wanted = files.filter(({ path }) => !isNoCode(path))
  return named(wanted.map(({ path, base64 }) => ({ path, content: Buffer.from(base64, 'base64') })))
}

/** Twelve digits of a SHA-256 over paths and contents in the order of the paths: the same code is the same version, wherever it comes from. */
function named(unsorted: { path: string; content: Buffer }[]): Code {
  const files = unsorted.toSorted((one, other) => (one.path < other.path ? -1 : 1))
  const hash = createHash('sha256')
  for (const { path, content } of files) hash.update(`${path}\0${content.length}\0`).update(content)
  return { version: hash.digest('hex').slice(0, 12), files }
}

export async function pack({ files }: Code): Promise<Buffer> {
  return promisify(gzip)(JSON.stringify(files.map(({ path, content }) => ({ path, base64: content.toString('base64') }))))
}

export async function unpack(packed: Buffer): Promise<Code> {
  const text = await promisify(gunzip)(packed, { maxOutputLength: codeBytesMax * 2 + codeFilesMax * 400 })
  const files = z.array(CodeFile).parse(JSON.parse(text.toString()))
  return named(files.map(({ path, base64 }) => ({ path, content: Buffer.from(base64, 'base64') })))
}

/** Writes the code to `folder`, unless it lies there already. Nobody sees half of it: it gets its name when it is complete. `modules`: where it finds its packages, nearest first. */
export async function layOut({ files }: Code, folder: string, modules: readonly string[]): Promise<void> {
  if (existsSync(folder)) return
  const draft = `${folder}.${newId()}`
  for (const { path, content } of files) {
    await mkdir(dirname(join(draft, path)), { recursive: true })
    await writeFile(join(draft, path), content)
  }
  await linkPackages(modules, join(draft, 'node_modules'))
  // Another server on the same folder may have been first: its copy is the same.
  await rename(draft, folder).catch(async (error: unknown) => {
    await rm(draft, { recursive: true })
    if (!existsSync(folder)) throw error
  })
}

/** Of several folders each package by itself, since a workspace has some beside the agent and the rest at its root. */
export async function linkPackages(modules: readonly string[], into: string): Promise<void> {
  const [nearest, ...further] = modules
  if (nearest === undefined) return
  if (further.length === 0) return symlink(nearest, into)
  const from = new Map<string, string>()
  for (const folder of modules) for (const name of await packagesIn(folder)) if (!from.has(name)) from.set(name, join(folder, name))
  for (const [name, target] of from) {
    await mkdir(dirname(join(into, name)), { recursive: true })
    await symlink(target, join(into, name))
  }
}

async function packagesIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => !name.startsWith('.'))
  const found = names.map(async (name) => (name.startsWith('@') ? (await readdir(join(folder, name))).map((each) => join(name, each)) : [name]))
  return (await Promise.all(found)).flat()
}

/** The folders in which code at `source` would look for packages, nearest first, but those that are empty. */
export async function modulesAbove(source: string): Promise<string[]> {
  const found: string[] = []
  for (let at = resolve(source); ; at = dirname(at)) {
    const folder = join(at, 'node_modules')
    if (existsSync(folder) && (await packagesIn(folder)).length > 0) found.push(folder)
    if (dirname(at) === at) return found
  }
}
