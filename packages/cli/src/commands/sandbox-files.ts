/** Files and folders between this machine and a sandbox. Folders travel as tar archives, which this machine's `tar` makes and unpacks. */
import { spawn } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream as NodeReadableStream } from 'node:stream/web'
import { type Client, ApiError, downloadTree, uploadTree } from '@longhaul/sdk/client'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'

/** `sandbox:path`; undefined for a path of this machine. Windows' drives have one letter, sandboxes' names here more. */
function remote(place: string): { sandboxId: string; path: string } | undefined {
  const [, sandboxId, path] = /^([A-Za-z0-9][A-Za-z0-9-]+):(.*)$/s.exec(place) ?? []
  return sandboxId === undefined ? undefined : { sandboxId, path: path || '.' }
}

export async function copyFiles(invocation: Invocation, from: string, to: string): Promise<number> {
  const [source, target] = [remote(from), remote(to)]
  if (Boolean(source) === Boolean(target))
    throw new Problem('invalid', 'One of the two must be in a sandbox and the other on this machine.', 'npx longhaul sandboxes cp ./data work:data')
  const client = await invocation.client()
  if (source) await copyOut(client, source, resolve(invocation.world.folder, to))
  else if (target) await copyIn(client, resolve(invocation.world.folder, from), target)
  if (invocation.isJson) invocation.printJson({ from, to })
  return exitCodes.done
}

async function copyIn(client: Client, from: string, { sandboxId, path }: { sandboxId: string; path: string }): Promise<void> {
  const info = await stat(from).catch(() => undefined) // Absent: told below.
  if (!info) throw new Problem('not_found', `There is no ${from}.`, 'Give a file or a folder of this machine.')
  if (info.isDirectory()) {
    const tar = spawn('tar', ['-C', from, '-cf', '-', '.'], { stdio: ['ignore', 'pipe', 'inherit'] })
    await Promise.all([exitOf(tar), uploadTree(client, sandboxId, path, Readable.toWeb(tar.stdout) as ReadableStream<Uint8Array>)])
    return
  }
  // Into a folder under its own name, elsewhere under the name that was given, as `cp` does.
  const isFolder = path.endsWith('/') || path === '.' || (await isFolderInside(client, sandboxId, path))
  const [folder, name] = isFolder ? [path, basename(from)] : [dirname(path), basename(path)]
  const archive = Readable.from(tarOfFile(name, info.size, createReadStream(from)))
  await uploadTree(client, sandboxId, folder, Readable.toWeb(archive) as ReadableStream<Uint8Array>)
}

async function copyOut(client: Client, { sandboxId, path }: { sandboxId: string; path: string }, to: string): Promise<void> {
  if (await isFolderInside(client, sandboxId, path)) {
    const archive = (await downloadTree(client, sandboxId, path)) as NodeReadableStream<Uint8Array>
    await mkdir(to, { recursive: true })
    // Names that climb and absolute ones are left out by tar itself, and whose a file is in there does not matter here.
    const tar = spawn('tar', ['-C', to, '-xf', '-', '--no-same-owner'], { stdio: ['pipe', 'inherit', 'inherit'] })
    const sent = pipeline(Readable.fromWeb(archive), tar.stdin)
    await Promise.all([exitOf(tar), sent.catch(unlessReadToItsEnd)])
    return
  }
  const file = await client.sandboxes.read({ sandboxId, path, bytesMax: 8_000_000 })
  if (file.isTruncated) throw new Problem('too_large', `${path} is larger than 8 MB.`, 'Copy the folder that it is in.')
  const isFolder = (await stat(to).catch(() => undefined))?.isDirectory() // Absent: it will be the file's own name.
  await writeFile(isFolder ? join(to, basename(path)) : to, Buffer.from(file.base64, 'base64'))
}

async function isFolderInside(client: Client, sandboxId: string, path: string): Promise<boolean> {
  try {
    await client.sandboxes.files({ sandboxId, path })
    return true
  } catch (error) {
    // A file, or nothing at all; a sandbox that is not there is told by what follows.
    if (error instanceof ApiError && (error.code === 'not_found' || error.code === 'invalid')) return false
    throw error
  }
}

/** tar stops reading at the mark for the end of an archive, whatever padding comes after it. Whether it had everything, its exit code says. */
function unlessReadToItsEnd(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE' && error.code !== 'EPIPE') throw error
}

function exitOf(tar: ReturnType<typeof spawn>): Promise<void> {
  return new Promise((done, reject) => {
    tar.on('error', (error) =>
      reject(new Problem('unavailable', `tar could not be started: ${error.message}.`, 'Folders are copied with tar. Install it, or copy single files.')),
    )
    tar.on('close', (code) =>
      code === 0 ? done() : reject(new Problem('invalid', `tar ended with ${code}.`, 'It says above what it could not read or write.')),
    )
  })
}

const block = 512

/** An archive of one file, in the form that every tar reads (POSIX ustar). */
async function* tarOfFile(name: string, size: number, content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  if (Buffer.byteLength(name) > 100) throw new Problem('invalid', `The name ${name} is too long.`, 'Copy the folder that it is in.')
  const head = Buffer.alloc(block)
  const put = (text: string, at: number) => void head.write(text, at, 'utf8')
  put(name, 0)
  put('0000644\0', 100)
  put('0000000\0', 108)
  put('0000000\0', 116)
  // Octal as long as it fits, else the number itself behind a marker.
  if (size < 8 ** 11) put(`${size.toString(8).padStart(11, '0')}\0`, 124)
  else {
    head.writeUInt8(0x80, 124)
    head.writeBigUInt64BE(BigInt(size), 128)
  }
  put(
    `${Math.floor(Date.now() / 1_000)
      .toString(8)
      .padStart(11, '0')}\0`,
    136,
  )
  put('        ', 148)
  put('0', 156)
  put('ustar\x0000', 257)
  put(
    `${head
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  )
  yield head
  for await (const piece of content) yield piece
  yield Buffer.alloc(((block - (size % block)) % block) + 2 * block)
}
