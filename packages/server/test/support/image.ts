/** Images as the tests make them, entry by entry, so that they can be as wrong as anybody's. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, realpathSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** `type` as archives have it: `0` file, `1` hard link, `2` link, `3` device, `5` folder, `6` pipe. `size`: what the header says, if not the truth. */
export type Entry = { path: string; type?: string; content?: string | Buffer; target?: string; mode?: number; size?: string }

export function tarOf(entries: readonly Entry[]): Buffer {
  const blocks = entries.flatMap(({ path, type = '0', content = '', target = '', mode = 0o644, size }) => {
    const bytes = Buffer.from(content)
    const head = Buffer.alloc(512)
    head.write(path, 0, 100)
    head.write(`${mode.toString(8).padStart(7, '0')}\0`, 100)
    head.write(size ?? `${bytes.length.toString(8).padStart(11, '0')}\0`, 124, 12, 'latin1')
    head.write('        ', 148)
    head.write(type, 156)
    head.write(target, 157, 100)
    head.write('ustar\0', 257)
    const sum = head.reduce((total, byte) => total + byte, 0)
    head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
    return [head, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]
  })
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const json = (value: unknown) => Buffer.from(JSON.stringify(value))

export type ImageParts = {
  layers: readonly (Buffer | readonly Entry[])[]
  config?: Record<string, unknown>
  architecture?: string
  compress?: (bytes: Buffer) => Buffer
  layerType?: string
  /** Blobs as they are written, by what they are. */
  change?: (what: 'layer' | 'config' | 'manifest', bytes: Buffer) => Buffer
}

const ownArchitecture = process.arch === 'arm64' ? 'arm64' : 'amd64'
const partsOf = ({ layers, config = {}, architecture = ownArchitecture }: ImageParts) => {
  const plain = layers.map((layer) => (Buffer.isBuffer(layer) ? layer : tarOf(layer as readonly Entry[])))
  const diffIds = plain.map((layer) => `sha256:${sha256(layer)}`)
  return { plain, document: json({ os: 'linux', architecture, config, rootfs: { type: 'layers', diff_ids: diffIds } }) }
}

/** Files of a layout of the OCI, by path. */
export function layoutOf(parts: ImageParts): { files: Map<string, Buffer>; digest: string } {
  const {
    compress = (bytes) => bytes,
    layerType = 'application/vnd.oci.image.layer.v1.tar',
    change = (_, bytes) => bytes,
    architecture = ownArchitecture,
  } = parts
  const files = new Map<string, Buffer>()
  const blob = (mediaType: string, what: 'layer' | 'config' | 'manifest', bytes: Buffer) => {
    const digest = sha256(bytes)
    files.set(`blobs/sha256/${digest}`, change(what, bytes))
    return { mediaType, digest: `sha256:${digest}`, size: bytes.length }
  }
  const { plain, document } = partsOf(parts)
  const layers = plain.map((layer) => blob(layerType, 'layer', compress(layer)))
  const config = blob('application/vnd.oci.image.config.v1+json', 'config', document)
  const manifest = blob('application/vnd.oci.image.manifest.v1+json', 'manifest', json({ schemaVersion: 2, config, layers }))
  files.set('oci-layout', json({ imageLayoutVersion: '1.0.0' }))
  files.set('index.json', json({ schemaVersion: 2, manifests: [{ ...manifest, platform: { os: 'linux', architecture } }] }))
  return { files, digest: manifest.digest }
}

const archived = (files: Map<string, Buffer>) => tarOf([...files].map(([path, content]) => ({ path, content })))
export const imageArchive = (parts: ImageParts): Buffer => archived(layoutOf(parts).files)
export async function writeImageFolder(parts: ImageParts, folder: string): Promise<void> {
  for (const [path, content] of layoutOf(parts).files) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
  }
}

/** As older `docker save` writes it. */
export function savedArchive(parts: ImageParts): Buffer {
  const { plain, document } = partsOf(parts)
  const { change = (_, bytes) => bytes } = parts
  const layers = plain.map((layer, at): [string, Buffer] => [`layer-${at}/layer.tar`, change('layer', layer)])
  const config = `${sha256(document)}.json`
  const files = new Map([...layers, [config, change('config', document)] as const])
  files.set('manifest.json', json([{ Config: config, RepoTags: ['x:latest'], Layers: layers.map(([path]) => path) }]))
  return archived(files)
}

/** A program of this host's with its libraries, as entries of a layer: nothing else is in it, no shell either. */
export function programEntries(program: string): Entry[] {
  const listed = execFileSync(program, [], { env: { LD_TRACE_LOADED_OBJECTS: '1' }, encoding: 'utf8' })
  const paths = [program, ...[...listed.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, path = '']) => path)]
  return paths.map((path) => ({ path: path.slice(1), content: readFileSync(realpathSync(path)), mode: 0o755 }))
}

const known: Record<string, Entry[]> = {}
const smallPrograms = ['sh', 'cat', 'chmod', 'cp', 'env', 'id', 'ls', 'mkdir', 'rm', 'sleep', 'stat', 'tee', 'true']

/**
 * A system as small as commands need: this host's shell and some of its programs with their libraries, in its own `/etc` accounts, and the file `/own`
 * by which it is told from this host. With the libraries of Node, which is not in it.
 */
export function smallSystem(programs: readonly string[] = smallPrograms): Entry[] {
  const of = programs.flatMap((name) => (known[name] ??= programEntries(`/usr/bin/${name}`)))
  const libraries = (known['node'] ??= programEntries(process.execPath).slice(1))
  const files = new Map([...of, ...libraries].map((entry) => [entry.path, entry]))
  return [
    { path: 'bin', type: '2', target: 'usr/bin' },
    ...files.values(),
    { path: 'etc/passwd', content: 'root:x:0:0::/:/bin/sh\nown:x:1000:1000::/:/bin/sh\n' },
    { path: 'etc/group', content: 'own:x:1000:\n' },
    { path: 'own', content: 'own' },
  ]
}
