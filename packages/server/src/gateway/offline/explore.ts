// How the planner gets to see the semantic layer: by `wc` and `cat` in the sandbox, as any model would, a few files at a time.
import type { Call } from './decide.ts'
import { resultOf, type Transcript } from './transcript.ts'

const folder = 'semantic'
const listing = `wc -c ${folder}/*.yaml ${folder}/*/*.yaml`
/** Well below what any tool cuts off. */
const batchBytesMax = 10_000
const chunkLines = 12
const filesMax = 500

export type Explored = { kind: 'reading'; calls: Call[] } | { kind: 'read'; files: Map<string, string> } | { kind: 'absent'; why: string }

export function explore(transcript: Transcript): Explored {
  const listed = resultOf(transcript, 'bash', { script: listing })
  if (!listed) return { kind: 'reading', calls: [{ tool: 'bash', input: { script: listing } }] }
  const sizes = readSizes(textOf(listed.output))
  if (sizes.size === 0 || sizes.size > filesMax) return { kind: 'absent', why: `\`${listing}\` found no files.` }
  const wanted = batches(sizes).map((paths) => ({ script: catScript(paths) }))
  const missing = wanted.filter((input) => !resultOf(transcript, 'bash', input))
  if (missing.length > 0) return { kind: 'reading', calls: missing.map((input) => ({ tool: 'bash', input })) }
  const files = new Map(wanted.flatMap((input) => [...sections(textOf(resultOf(transcript, 'bash', input)?.output))]))
  const cut = [...sizes].filter(([path, bytes]) => Buffer.byteLength(files.get(path) ?? '') !== bytes).map(([path]) => path)
  const again = readInPieces(transcript, cut, files)
  if (again.length > 0) return { kind: 'reading', calls: again }
  const lost = cut.filter((path) => Buffer.byteLength(files.get(path) ?? '') !== sizes.get(path))
  if (lost.length > 0) return { kind: 'absent', why: `${lost.join(', ')} came back incomplete.` }
  return { kind: 'read', files: new Map([...files].map(([path, content]) => [path.slice(folder.length + 1), content])) }
}

/** Shell output, whether it came as text or with its exit code beside it. */
export function textOf(output: unknown): string {
  if (typeof output === 'string') return output
  if (typeof output === 'object' && output !== null && 'stdout' in output && typeof output.stdout === 'string') return output.stdout
  return ''
}

const readSizes = (text: string): Map<string, number> =>
  new Map(
    [...text.matchAll(/^\s*(\d+)\s+(\S+\.ya?ml)\s*$/gm)].flatMap(([, bytes, path]) =>
      bytes !== undefined && path !== undefined && /^[\w./-]+$/.test(path) ? [[path, Number(bytes)] as const] : [],
    ),
  )

function batches(sizes: ReadonlyMap<string, number>): string[][] {
  const groups: string[][] = []
  let bytes = Infinity
  for (const [path, size] of sizes) {
    if (bytes + size > batchBytesMax) {
      groups.push([])
      bytes = 0
    }
    groups.at(-1)?.push(path)
    bytes += size
  }
  return groups
}

const catScript = (paths: readonly string[]): string => `for f in ${paths.join(' ')}; do echo "=== $f"; cat "$f"; done; echo "=== end"`

/** Files by path, from output in which a line `=== path` stands before each. */
function sections(text: string): Map<string, string> {
  const found = new Map<string, string>()
  const pieces = text.split(/^=== (\S+)\n?/m)
  for (let i = 1; i + 1 < pieces.length; i += 2) if (pieces[i] !== 'end') found.set(pieces[i] ?? '', pieces[i + 1] ?? '')
  return found
}

/** Files that were cut are read once more, a few lines at a time, until one comes back empty. */
function readInPieces(transcript: Transcript, paths: readonly string[], files: Map<string, string>): Call[] {
  const calls: Call[] = []
  for (const path of paths) {
    let content = ''
    for (let line = 1; ; line += chunkLines) {
      const input = { script: `echo "=== ${path}"; sed -n '${line},${line + chunkLines - 1}p' ${path}; echo "=== end"` }
      const result = resultOf(transcript, 'bash', input)
      if (!result) {
        calls.push({ tool: 'bash', input })
        break
      }
      const piece = sections(textOf(result.output)).get(path) ?? ''
      if (piece === '') break
      content += piece
    }
    files.set(path, content)
  }
  return calls
}
