/** Lays the layers of an image out as a folder that can be the root of a sandbox. Hostile archives are the rule here: see `image-tree.ts`. */
import { createHash } from 'node:crypto'
import { chmod, link, mkdir, open, readFile, rename, stat, symlink } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { AppError } from '../../kernel/index.ts'
import { etc } from '../host/runtime.ts'
import type { ImageConfig, ImageSource, Layer } from './image-source.ts'
import { type ImageTree, type TreeNode, imageTree } from './image-tree.ts'
import { readTar } from './tar-reader.ts'

/** What an image says of how its program is started, and the `bytes` of its files. Its user is never root. */
export type ImageStart = { uid: number; gid: number; bytes: number; entrypoint: string[]; cmd: string[]; env: Record<string, string>; workingDir: string }

/** `bytesMax`: of all layers, unpacked, also of what later ones replace. */
export type ImageLimits = { bytesMax: number; filesMax: number }

const ordinary = 1_000
const accountsBytesMax = 1_048_576
/** As it is told to the agent, on its command line. */
const environmentBytesMax = 65_536

/** `into` is a new folder; the files are in its folder `root`. Throws `invalid`, or `too_large`, and leaves what it has made. */
export async function unpackImage({ config, layers }: ImageSource, into: string, { bytesMax, filesMax }: ImageLimits): Promise<ImageStart> {
  const contents = join(into, 'contents')
  await mkdir(contents, { recursive: true })
  const tree = imageTree(filesMax)
  const left = { bytes: bytesMax, entries: 2 * filesMax }
  let contentCount = 0
  const keep = async (content: AsyncIterable<Buffer>): Promise<number> => {
    const number = contentCount++
    const handle = await open(join(contents, String(number)), 'wx', 0o444)
    try {
      for await (const piece of content) await handle.writeFile(piece)
      await handle.chmod(0o444) // Whatever the umask.
    } finally {
      await handle.close()
    }
    return number
  }
  const at = (content: number) => join(contents, String(content))

  for (const layer of layers) {
    tree.nextLayer()
    const plain = plainOf(layer, left, bytesMax)
    for await (const entry of readTar(plain)) {
      if (left.entries-- <= 0) throw tooLarge(`more than ${2 * filesMax} entries`)
      const { path, type, target } = entry
      const mode = entry.mode & 0o111 ? 0o555 : 0o444
      if (type === 'directory' || type === 'link') tree.add(path, type === 'link' ? { type, target } : { type })
      else if (type === 'hardlink') tree.add(path, { type: 'file', content: tree.fileAt(target).content, mode: tree.fileAt(target).mode })
      else if (type === 'file') tree.add(path, { type, content: await keep(entry.content()), mode })
      else if (!/^(\.\/)?dev\//.test(path)) throw refused(`it has a device or pipe: ${path.slice(0, 200)}`)
    }
    for await (const _ of plain) void _ // To its end, at which the digests are seen.
  }

  const text = async (path: string) => {
    const node = tree.find(path)
    if (node?.type !== 'file') return ''
    const bytes = await readFile(at(node.content))
    if (bytes.length > accountsBytesMax) throw refused(`${path} is larger than ${accountsBytesMax} bytes`)
    return bytes.toString()
  }
  const [passwd, group] = [await text('etc/passwd'), await text('etc/group')]
  const user = userOf(config.config.User ?? '', passwd, group)
  const write = async (path: string, words: string) => tree.add(path, { type: 'file', content: await keep(piecesOf(words)), mode: 0o444 })
  // Names of its own machine are all that can be looked up, as in every sandbox.
  for (const name of ['hosts', 'nsswitch.conf']) await write(`etc/${name}`, etc[name] ?? '')
  if (accountOf(passwd, user.uid) === undefined) await write('etc/passwd', `${ended(passwd)}sandbox:x:${user.uid}:${user.gid}:sandbox:/workspace:/bin/sh\n`)
  const start = startOf(config)
  if (tree.find(start.workingDir) === undefined) tree.add(start.workingDir.slice(1), { type: 'directory' })
  tree.remove('etc/ld.so.preload') // It would be loaded into our own agent.
  return { ...user, ...start, bytes: await layOut(tree, join(into, 'root'), at) }
}

async function* piecesOf(words: string): AsyncGenerator<Buffer> {
  yield Buffer.from(words)
}
const ended = (text: string): string => (text === '' || text.endsWith('\n') ? text : `${text}\n`)

/** Folders are made by us alone, and links come last: there is nothing to be led astray by. Returns the bytes of all files, each once. */
async function layOut(tree: ImageTree, root: string, at: (content: number) => string): Promise<number> {
  let bytes = 0
  const placed = new Map<number, string>()
  const links: { path: string; target: string }[] = []
  const place = async (path: string, node: TreeNode): Promise<void> => {
    if (node.type === 'link') return void links.push({ path, target: node.target })
    if (node.type === 'directory') {
      await mkdir(path)
      await chmod(path, 0o755) // Whatever the umask.
      for (const [name, child] of node.children) await place(join(path, name), child)
      return
    }
    const first = placed.get(node.content)
    if (first !== undefined) return link(first, path)
    await rename(at(node.content), path)
    placed.set(node.content, path)
    bytes += (await stat(path)).size
    if (node.mode !== 0o444) await chmod(path, node.mode)
  }
  await place(root, tree.root)
  for (const { path, target } of links) await symlink(target, path)
  return bytes
}

/** The layer's tar archive. At its end its digests are compared, so that whoever reads it whole has read what was named. */
async function* plainOf(layer: Layer, left: { bytes: number }, bytesMax: number): AsyncGenerator<Buffer> {
  const stored = createHash('sha256')
  const plain = createHash('sha256')
  const source = layer.open()[Symbol.asyncIterator]()
  const first = await source.next()
  const head: Buffer = first.done ? Buffer.alloc(0) : first.value
  async function* seen(): AsyncGenerator<Buffer> {
    for (let piece = first; !piece.done; piece = await source.next()) {
      stored.update(piece.value)
      yield piece.value
    }
  }
  for await (const piece of unpacked(head, seen())) {
    left.bytes -= piece.length
    if (left.bytes < 0) throw tooLarge(`more than ${bytesMax} bytes`)
    plain.update(piece)
    yield piece
  }
  if (layer.digest !== undefined && layer.digest !== `sha256:${stored.digest('hex')}`) throw refused(`a layer is not what its digest says: ${layer.digest}`)
  if (layer.diffId !== undefined && layer.diffId !== `sha256:${plain.digest('hex')}`)
    throw refused(`a layer is not what the configuration says: ${layer.diffId}`)
}

/** Told by its first bytes, since what `docker save` writes has no types. */
async function* unpacked(head: Buffer, source: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  const magic = head.toString('hex', 0, 4)
  const opener = magic.startsWith('1f8b') ? createGunzip() : magic === '28b52ffd' ? createZstdDecompress() : undefined
  if (!opener) return yield* source
  const fed = pipeline(Readable.from(source), opener).catch(() => {}) // Whoever reads hears of it.
  try {
    for await (const piece of opener) yield piece as Buffer // It has no encoding.
  } catch (error) {
    throw error instanceof AppError ? error : refused('a layer cannot be decompressed', error)
  } finally {
    opener.destroy()
    await fed
  }
}

const nameAndGroup = /^([^:]*)(?::(.*))?$/
const numberMax = 2_147_483_647

/** Who its program is inside: by number or by a name that its own files know. Root is nobody here: an ordinary user takes its place. */
function userOf(user: string, passwd: string, group: string): { uid: number; gid: number } {
  const [, name = '', groupName] = nameAndGroup.exec(user) ?? []
  if (name === '') return { uid: ordinary, gid: ordinary }
  const account = /^\d+$/.test(name) ? { uid: Number(name), gid: accountOf(passwd, Number(name))?.gid } : accountNamed(passwd, name)
  if (!account) throw refused(`its user ${name.slice(0, 100)} is not in its /etc/passwd`)
  const gid = groupName ? (/^\d+$/.test(groupName) ? Number(groupName) : groupNamed(group, groupName)) : account.gid
  if (gid === undefined && groupName) throw refused(`its group ${groupName.slice(0, 100)} is not in its /etc/group`)
  const found = { uid: account.uid, gid: gid ?? ordinary }
  if (found.uid > numberMax || found.gid > numberMax) throw refused('its user has a number that is none')
  return { uid: found.uid === 0 ? ordinary : found.uid, gid: found.gid === 0 ? ordinary : found.gid }
}

const rowsOf = (text: string) => text.split('\n').map((line) => line.split(':'))
const accountOf = (passwd: string, uid: number) =>
  rowsOf(passwd).flatMap(([, , id, gid]) => (id === String(uid) && gid !== undefined && /^\d+$/.test(gid) ? [{ uid, gid: Number(gid) }] : []))[0]
const accountNamed = (passwd: string, name: string) =>
  rowsOf(passwd).flatMap(([each, , uid = '', gid = '']) =>
    each === name && /^\d+$/.test(uid) && /^\d+$/.test(gid) ? [{ uid: Number(uid), gid: Number(gid) }] : [],
  )[0]
const groupNamed = (group: string, name: string) => rowsOf(group).flatMap(([each, , gid = '']) => (each === name && /^\d+$/.test(gid) ? [Number(gid)] : []))[0]

function startOf({ config: { Env, Entrypoint, Cmd, WorkingDir } }: ImageConfig): Omit<ImageStart, 'uid' | 'gid' | 'bytes'> {
  const env = (Env ?? []).flatMap((line): [string, string][] => {
    const at = line.indexOf('=')
    return at > 0 ? [[line.slice(0, at), line.slice(at + 1)]] : []
  })
  if (Buffer.byteLength(JSON.stringify(Object.fromEntries(env))) > environmentBytesMax)
    throw refused(`its environment has more than ${environmentBytesMax} bytes`)
  if (env.flat().some((text) => text.includes('\0'))) throw refused('its environment has U+0000')
  return { entrypoint: Entrypoint ?? [], cmd: Cmd ?? [], env: Object.fromEntries(env), workingDir: posix.resolve('/', WorkingDir || '/workspace') }
}

const refused = (why: string, cause?: unknown) => new AppError('invalid', `The image is not taken: ${why}.`, cause)
const tooLarge = (what: string) => new AppError('too_large', `The image is not taken: unpacked it has ${what}.`)
