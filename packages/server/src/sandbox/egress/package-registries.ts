/** Which requests are for files of packages at public registries, and what the registry itself states of such a file. */
import { z } from 'zod'

/** By the host that files come from: `npm`, or the index that names them, as Python's packaging specifies it (PEP 691). */
export const PackageRegistries = z.record(
  z
    .string()
    .max(253)
    .regex(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/, 'must be a host, such as registry.npmjs.org'),
  z
    .string()
    .max(2_000)
    .refine(
      (value) => value === 'npm' || (value.startsWith('https://') && value.endsWith('/') && URL.canParse(value)),
      'must be npm, or the https:// address of an index of Python’s, with / at its end',
    ),
)
export type PackageRegistries = z.output<typeof PackageRegistries>

export type PackageFile = {
  url: string
  algorithm: 'sha256' | 'sha512'
  /** The document in which the registry states what the file is. */
  document: { url: string; accept: string }
  /** Hexadecimal; undefined where it does not name this very address with a digest of that kind. */
  digestIn(document: unknown): string | undefined
}

const NpmVersion = z.object({ dist: z.object({ tarball: z.string(), integrity: z.string() }) })
const PythonIndex = z.object({ files: z.array(z.object({ url: z.string(), hashes: z.object({ sha256: z.string().optional() }) })) })

/** `path` is plain, without a query. */
export function packageFileAt(registries: PackageRegistries, host: string, path: string): PackageFile | undefined {
  const registry = Object.hasOwn(registries, host) ? registries[host] : undefined
  if (registry === undefined) return undefined
  return registry === 'npm' ? npmFile(host, path) : pythonFile(host, path, registry)
}

function npmFile(host: string, path: string): PackageFile | undefined {
  const [, name = '', own = '', file = ''] = /^\/((?:@[\w.-]+\/)?([\w.-]+))\/-\/([\w.+-]+)\.tgz$/.exec(path) ?? []
  if (name === '' || !file.startsWith(`${own}-`)) return undefined
  const url = `https://${host}${path}`
  return {
    ...{ url, algorithm: 'sha512' },
    document: { url: `https://${host}/${name.replace('/', '%2f')}/${encodeURIComponent(file.slice(own.length + 1))}`, accept: 'application/json' },
    digestIn(document) {
      const { data } = NpmVersion.safeParse(document)
      if (!data || addressOf(data.dist.tarball, url) !== url) return undefined
      const [, base64] = /(?:^|\s)sha512-([A-Za-z0-9+/]{86}==)(?:\s|$)/.exec(data.dist.integrity) ?? []
      return base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString('hex')
    },
  }
}

function pythonFile(host: string, path: string, index: string): PackageFile | undefined {
  const [, wheel, source] = /\/(?:([A-Za-z0-9_.]+)-[^/]+\.whl|([A-Za-z0-9_.-]+)-[^/-]+\.(?:tar\.gz|zip))$/.exec(path) ?? []
  const project = (wheel ?? source)?.toLowerCase().replaceAll(/[-_.]+/g, '-')
  if (project === undefined) return undefined
  const url = `https://${host}${path}`
  const document = `${index}${project}/`
  return {
    ...{ url, algorithm: 'sha256' },
    document: { url: document, accept: 'application/vnd.pypi.simple.v1+json' },
    digestIn(given) {
      const { data } = PythonIndex.safeParse(given)
      const digest = data?.files.find((file) => addressOf(file.url, document) === url)?.hashes.sha256
      return digest !== undefined && /^[0-9a-f]{64}$/.test(digest) ? digest : undefined
    },
  }
}

/** Without the fragment, which no server is told. */
function addressOf(given: string, base: string): string | undefined {
  if (!URL.canParse(given, base)) return undefined
  const url = new URL(given, base)
  url.hash = ''
  return url.href
}
