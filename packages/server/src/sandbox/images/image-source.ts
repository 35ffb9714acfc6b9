/** Images as they are kept in files: the layout of the OCI, as a folder or a tar archive, and what `docker save` writes. Nothing in them is believed before its digest was seen to be right. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, open, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { AppError } from '../../kernel/index.ts'
import { readTar } from './tar-reader.ts'

export const Digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 digits')
const Descriptor = z.object({
  mediaType: z.string().max(200).default(''),
  digest: Digest,
  size: z.number().int().min(0),
  platform: z.object({ os: z.string().max(100), architecture: z.string().max(100) }).optional(),
})
export type Descriptor = z.infer<typeof Descriptor>
const layersMax = 256
const Index = z.object({ manifests: z.array(Descriptor).min(1).max(1_000) })
const Manifest = z.object({ config: Descriptor, layers: z.array(Descriptor).min(1).max(layersMax) })
/** `manifest.json` of `docker save`. */
const Saved = z
  .array(z.object({ Config: z.string().max(500), Layers: z.array(z.string().max(500)).min(1).max(layersMax) }))
  .min(1)
  .max(100)

const Words = z.array(z.string().max(100_000)).max(1_000).nullish()
const Config = z.object({
  os: z.string().max(100).optional(),
  architecture: z.string().max(100),
  config: z.object({ User: z.string().max(200).nullish(), Env: Words, Entrypoint: Words, Cmd: Words, WorkingDir: z.string().max(4_096).nullish() }).default({}),
  rootfs: z.object({ type: z.literal('layers'), diff_ids: z.array(Digest).min(1).max(layersMax) }),
})
export type ImageConfig = z.infer<typeof Config>

/** `digest`: of what is stored; undefined where the archive names none. `diffId`: of the tar archive in it; undefined where nobody says. */
export type Layer = { digest: string | undefined; diffId: string | undefined; open(): AsyncIterable<Buffer> }
/** `id` names the content: the digest of the manifest or of a list of some, or of the configuration where there is none. */
export type ImageSource = { id: string; config: ImageConfig; layers: Layer[] }

/** Where blobs come from. `read` throws `invalid` when there is none. */
export type Blobs = { read(descriptor: Descriptor, kind: 'manifest' | 'blob'): AsyncIterable<Buffer> }
/** Files of an image by their paths in it. */
type Files = { read(path: string): Promise<AsyncIterable<Buffer> | undefined> }

export const documentBytesMax = 4_194_304
const indexesMax = 3
const architectures: Record<string, string> = { x64: 'amd64', arm64: 'arm64' }
export const ownArchitecture = (): string => architectures[process.arch] ?? process.arch

const indexTypes = /^application\/vnd\.(oci\.image\.index\.v1|docker\.distribution\.manifest\.list\.v2)\+json$/
const manifestTypes = /^application\/vnd\.(oci\.image\.manifest\.v1|docker\.distribution\.manifest\.v2)\+json$/
export const layerTypes = /^application\/vnd\.(oci\.image\.layer\.v1\.tar(\+gzip|\+zstd)?|docker\.image\.rootfs\.diff\.tar(\.gzip|\.zstd)?)$/
const configTypes = /^application\/vnd\.(oci\.image\.config\.v1|docker\.container\.image\.v1)\+json$/
export const manifestsAccepted = ['oci.image.manifest.v1', 'oci.image.index.v1', 'docker.distribution.manifest.v2', 'docker.distribution.manifest.list.v2']
  .map((name) => `application/vnd.${name}+json`)
  .join(', ')

/** The image in a folder or an archive of this machine. Throws `invalid` where it is none, or none for this machine's processor. */
export async function readImageFile(path: string): Promise<ImageSource> {
  const info = await lstat(path).catch(() => undefined)
  if (!info) throw refused('it is not there')
  const files = info.isDirectory() ? folderFiles(await realpath(path)) : await archiveFiles(path)
  const index = await documentAt(files, 'index.json')
  if (index !== undefined && (await documentAt(files, 'oci-layout')) !== undefined)
    return resolveImage(blobsIn(files), parsed(Index, index, 'index.json').manifests)
  const saved = await documentAt(files, 'manifest.json')
  if (saved === undefined) throw refused('it has neither index.json with oci-layout nor manifest.json. Write it with docker save, or as a layout of the OCI')
  return savedImage(files, parsed(Saved, saved, 'manifest.json'))
}

/** The tree of a whole system in one tar archive, as `mmdebstrap` writes it, which may be compressed by gzip or zstd; or an image. Throws `invalid` where it is neither. */
export async function readRootFile(path: string): Promise<ImageSource> {
  const info = await lstat(await realpath(path).catch(() => path)).catch(() => undefined)
  if (!info) throw refused('it is not there')
  if (info.isDirectory() || (await isImage(path))) return readImageFile(path)
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer) // It has no encoding.
  const digest = `sha256:${hash.digest('hex')}`
  const config = { architecture: ownArchitecture(), config: {}, rootfs: { type: 'layers' as const, diff_ids: [] } }
  return { id: digest, config, layers: [{ digest, diffId: undefined, open: () => createReadStream(path) }] }
}

/** What an archive of an image has at its top, whole systems have not. */
async function isImage(path: string): Promise<boolean> {
  const stream = createReadStream(path)
  try {
    for await (const { path: name } of readTar(stream)) if (/^(\.\/)?(oci-layout|index\.json|manifest\.json)$/.test(name)) return true
  } catch {
    // Compressed, or no archive, of which whoever reads it tells.
  } finally {
    stream.destroy()
  }
  return false
}

/** The image among these for this machine, through lists of them. */
export async function resolveImage(blobs: Blobs, among: readonly Descriptor[], depth = 0): Promise<ImageSource> {
  const fits = ({ platform }: Descriptor) => platform === undefined || (platform.os === 'linux' && platform.architecture === ownArchitecture())
  const known = among.filter(({ mediaType }) => mediaType === '' || indexTypes.test(mediaType) || manifestTypes.test(mediaType))
  const chosen = known.find(fits)
  if (!chosen) {
    const has = among.map(({ platform, mediaType }) => (platform ? `${platform.os}/${platform.architecture}` : mediaType)).join(', ')
    throw refused(`it is not for linux/${ownArchitecture()}, but: ${has.slice(0, 500) || 'nothing'}`)
  }
  const document = await jsonOf(blobs, chosen, 'manifest')
  if (indexTypes.test(chosen.mediaType) || (document !== null && typeof document === 'object' && 'manifests' in document)) {
    if (depth === indexesMax) throw refused('its lists of images lie in one another')
    return resolveImage(blobs, parsed(Index, document, 'an index').manifests, depth + 1)
  }
  const { config, layers } = parsed(Manifest, document, 'a manifest')
  if (config.mediaType !== '' && !configTypes.test(config.mediaType)) throw refused(`it is no image for programs, but ${config.mediaType.slice(0, 200)}`)
  const foreign = layers.find(({ mediaType }) => !layerTypes.test(mediaType))
  if (foreign) throw refused(`it has a layer that is no tar archive: ${foreign.mediaType.slice(0, 200)}`)
  const open = layers.map((layer) => ({ digest: layer.digest, open: () => blobs.read(layer, 'blob') }))
  return assembled(chosen.digest, parsed(Config, await jsonOf(blobs, config, 'blob'), 'its configuration'), open)
}

async function savedImage(files: Files, images: z.infer<typeof Saved>): Promise<ImageSource> {
  const [image] = images
  if (!image || images.length > 1) throw refused(`it holds ${images.length} images. Save the one that is meant`)
  const bytes = await bytesAt(files, image.Config)
  if (!bytes) throw refused('its configuration is missing')
  const digest = digestOf(bytes)
  const named = /([0-9a-f]{64})(\.json)?$/.exec(image.Config)?.[1]
  if (named !== undefined && digest !== `sha256:${named}`) throw refused('its configuration is not what its name says')
  const layers = image.Layers.map((path) => ({
    digest: undefined,
    async *open() {
      const content = await files.read(path)
      if (!content) throw refused(`its layer ${path.slice(0, 200)} is missing`)
      yield* content
    },
  }))
  return assembled(digest, parsed(Config, parsedJson(bytes), 'its configuration'), layers)
}

function assembled(id: string, config: ImageConfig, layers: Omit<Layer, 'diffId'>[]): ImageSource {
  const { os = 'linux', architecture, rootfs } = config
  if (os !== 'linux' || architecture !== ownArchitecture()) throw refused(`it is for ${os}/${architecture}, and this machine is linux/${ownArchitecture()}`)
  if (rootfs.diff_ids.length !== layers.length) throw refused(`it has ${layers.length} layers, and its configuration names ${rootfs.diff_ids.length}`)
  return { id, config, layers: layers.map((layer, at) => ({ ...layer, diffId: rootfs.diff_ids[at] })) }
}

const blobsIn = (files: Files): Blobs => ({
  async *read({ digest }) {
    const content = await files.read(`blobs/${digest.replace(':', '/')}`)
    if (!content) throw refused(`its blob ${digest} is missing`)
    yield* content
  },
})

/** The document, once its bytes were seen to be those that are named. */
async function jsonOf(blobs: Blobs, descriptor: Descriptor, kind: 'manifest' | 'blob'): Promise<unknown> {
  const bytes = await gathered(blobs.read(descriptor, kind))
  if (digestOf(bytes) !== descriptor.digest) throw refused(`a document of it is not what its digest says: ${descriptor.digest}`)
  return parsedJson(bytes)
}

function folderFiles(root: string): Files {
  return {
    async read(path) {
      const at = join(root, path)
      const real = await realpath(at).catch(() => undefined) // Absent.
      if (real === undefined) return undefined
      if (real !== at || !(await lstat(at)).isFile()) throw refused(`${path.slice(0, 200)} is no plain file in it`)
      return createReadStream(at)
    },
  }
}

const filesMax = 10_000

/** What lies where in the archive is looked up once; contents are read from there. */
async function archiveFiles(path: string): Promise<Files> {
  const handle = await open(path)
  const head = Buffer.alloc(2)
  await handle.read(head, 0, 2, 0).finally(() => handle.close())
  if (head.equals(Buffer.from([0x1f, 0x8b]))) throw refused('it is compressed as a whole. Unpack it once (gunzip); its layers may be compressed')
  const found = new Map<string, { offset: number; size: number }>()
  for await (const { path: name, type, offset, size } of readTar(createReadStream(path))) {
    if (type === 'file') found.set(name.replace(/^\.\//, ''), { offset, size })
    if (found.size > filesMax) throw refused(`it has more than ${filesMax} files beside its layers`)
  }
  return {
    async read(name) {
      const entry = found.get(name)
      if (!entry) return undefined
      return entry.size === 0 ? nothing() : createReadStream(path, { start: entry.offset, end: entry.offset + entry.size - 1 })
    },
  }
}

async function* nothing(): AsyncGenerator<Buffer> {}

async function bytesAt(files: Files, path: string): Promise<Buffer | undefined> {
  const content = await files.read(path)
  return content && gathered(content)
}

async function documentAt(files: Files, path: string): Promise<unknown> {
  const bytes = await bytesAt(files, path)
  return bytes && parsedJson(bytes)
}

async function gathered(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of content) {
    bytes += piece.length
    if (bytes > documentBytesMax) throw refused(`a document of it is larger than ${documentBytesMax} bytes`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

const digestOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

function parsedJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch (cause) {
    throw refused('a document of it is no JSON', cause)
  }
}

function parsed<Schema extends z.ZodType>(schema: Schema, value: unknown, what: string): z.output<Schema> {
  const found = schema.safeParse(value)
  if (!found.success) throw refused(`${what} is not as it should be: ${z.prettifyError(found.error).slice(0, 1_000)}`)
  return found.data
}

const refused = (why: string, cause?: unknown) => new AppError('invalid', `The image is not taken: ${why}.`, cause)
