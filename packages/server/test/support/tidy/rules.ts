/**
 * The house's rules, each a question to the source. `broken` is source that breaks the rule, so that a rule which notices nothing any more is
 * noticed itself. A rule in the way of good code is changed here, with its reason; it is not dodged.
 */
import { type SourceFile, importsOf, isTest, places } from './source.ts'

export type Rule = {
  name: string
  remedy: string
  offences(files: SourceFile[]): string[]
  /** Files, by path, in which `offences` finds something. One test for each. */
  broken: Record<string, string>[]
}

/**
 * Who may import whom inside the server, by folder. A folder that is not a key does not exist. Files on top (`main.ts`, `server.ts`, `parts/`) put
 * the whole together and may import everything; nobody else imports them.
 */
export const mayImport: Record<string, readonly string[]> = {
  kernel: [],
  db: ['kernel'],
  engine: ['db', 'kernel'],
  mail: ['db', 'kernel'],
  identity: ['mail', 'db', 'kernel'],
  gateway: ['identity', 'db', 'kernel'],
  sandbox: ['db', 'kernel'],
  tools: ['sandbox', 'identity', 'db', 'kernel'],
  agents: ['engine', 'gateway', 'tools', 'sandbox', 'identity', 'db', 'kernel', 'hooks'],
  workers: ['engine', 'agents', 'db', 'kernel'],
  outcomes: ['engine', 'db', 'kernel'],
  hooks: ['outcomes', 'engine', 'identity', 'db', 'kernel'],
  api: ['engine', 'identity', 'gateway', 'sandbox', 'tools', 'agents', 'workers', 'outcomes', 'hooks', 'db', 'kernel'],
}

/** Which of our packages the source of a package may import. */
const mayUse: Record<string, readonly string[]> = {
  protocol: [],
  sdk: ['@longhaul/protocol'],
  server: ['@longhaul/protocol'],
  cli: ['@longhaul/protocol', '@longhaul/sdk'],
  console: ['@longhaul/protocol', '@longhaul/sdk'],
}

/** Who may read the environment, and why. */
const readersOfEnvironment = [
  'packages/server/src/config.ts', // Every setting of the server.
  'packages/sdk/src/worker-main.ts', // A worker gets its address and token from whoever starts it.
  'packages/cli/src/main.ts', // Hands it to whatever wants it.
]

/** Programs that run somewhere else than in the server and cannot take the kernel along. */
const programsApart = [
  'packages/server/src/sandbox/agent/agent.cjs', // Runs inside the sandbox, where there is no file of ours but this.
]

const inServer = (file: SourceFile) => file.path.startsWith('packages/server/src/') && !isTest(file)
/** None for what puts the folders together. */
const folderOf = (path: string) => /^packages\/server\/src\/(?!parts\/)([^/]+)\//.exec(path)?.[1]
const isSource = (file: SourceFile) => /^(packages\/[^/]+\/(src|bin)|examples)\//.test(file.path) && !isTest(file)

/**
 * Stores that run under the engine's role, which sees all tenants: their own `where` is all that keeps tenants apart there, held by
 * `tenancy.test.ts`. The list is to become shorter: what a request asks for belongs under its tenant.
 */
const underTheEnginesRole =
  /^packages\/server\/src\/(engine|gateway|outcomes|sandbox|tools)\/(.*\/)?(limit|schedule|stop|budget|model|reserve|usage|route|attention|delivery|connection|sandbox|snapshot|call|ending|lane)-store\.ts$|engine\/run-store\.ts$/

export const rules: readonly Rule[] = [
  {
    name: 'inside the server imports follow the arrows',
    remedy: 'Move the code, or hand the function over in server.ts. The arrows are `mayImport` in packages/server/test/support/tidy/rules.ts.',
    offences: (files) =>
      files.filter(inServer).flatMap((file) => {
        const from = folderOf(file.path)
        if (from !== undefined && !mayImport[from]) return [`${file.path} is in a folder that the table of arrows does not know`]
        return importsOf(file).flatMap(({ target, line }) => {
          if (!target?.startsWith('packages/server/src/')) return []
          const to = folderOf(target)
          if (to === undefined) return from === undefined ? [] : [`${file.path}:${line} imports ${target}, which only the files beside it may`]
          return from === undefined || from === to || mayImport[from]?.includes(to) ? [] : [`${file.path}:${line} imports ${to} from ${from}`]
        })
      }),
    broken: [
      { 'packages/server/src/engine/a.ts': "import { x } from '../gateway/index.ts'" },
      { 'packages/server/src/kernel/a.ts': "import '../api/http.ts'" },
      { 'packages/server/src/db/a.ts': "const { x } = await import('../engine/index.ts')" },
      { 'packages/server/src/db/a.ts': "export * from '../engine/index.ts'" },
      { 'packages/server/src/db/a.ts': "import { loadConfig } from '../config.ts'" },
      { 'packages/server/src/magic/a.ts': '' },
    ],
  },
  {
    name: 'another folder of the server is reached through its index.ts',
    remedy: 'Export it from the folder’s index.ts if it is meant for others, and import that.',
    offences: (files) =>
      files.filter(inServer).flatMap((file) =>
        importsOf(file).flatMap(({ target, line }) => {
          const to = target && folderOf(target)
          // A folder within a folder (`gateway/offline`) may have a surface of its own.
          return to && to !== folderOf(file.path) && !target.endsWith('/index.ts') ? [`${file.path}:${line} imports ${target}`] : []
        }),
      ),
    broken: [
      { 'packages/server/src/engine/a.ts': "import { x } from '../db/sql.ts'" },
      { 'packages/server/src/main.ts': "import type { X } from './db/sql.ts'" },
    ],
  },
  {
    name: 'packages use each other along the arrows, by name',
    remedy: 'protocol uses nobody; sdk and server use protocol; cli and console use protocol and sdk; an agent uses the sdk. No path leads out of a package.',
    offences: (files) =>
      files.filter(isSource).flatMap((file) => {
        const [kind = '', name = ''] = file.path.split('/')
        return importsOf(file).flatMap(({ specifier, target, line }) => {
          if (target !== undefined) return target.startsWith(`${kind}/${name}/`) ? [] : [`${file.path}:${line} imports ${target} out of its package`]
          const ours = /^@longhaul\/[^/]+/.exec(specifier)?.[0]
          const allowed = kind === 'examples' ? ['@longhaul/sdk', '@longhaul/protocol'] : (mayUse[name] ?? [])
          return ours && !allowed.includes(ours) ? [`${file.path}:${line} imports ${ours}`] : []
        })
      }),
    broken: [
      { 'packages/protocol/src/a.ts': "import { x } from '@longhaul/sdk'" },
      { 'packages/server/src/a.ts': "import { x } from '@longhaul/sdk/client'" },
      { 'packages/cli/src/a.ts': "import { x } from '../../server/src/config.ts'" },
      { 'examples/hello/agent/agent.ts': "import { x } from '@longhaul/server'" },
    ],
  },
  {
    name: 'no file imports itself by a circle',
    remedy: 'What both need belongs into a third file, or the two are one.',
    offences: circles,
    broken: [{ 'packages/sdk/src/a.ts': "import { b } from './b.ts'", 'packages/sdk/src/b.ts': "export { a } from './a.ts'" }],
  },
  {
    name: 'the environment is read in one place of each program',
    remedy: 'Read it in config.ts (server), main.ts (cli) or worker-main.ts (sdk) and hand the value over.',
    offences: (files) =>
      files
        .filter((file) => isSource(file) && !file.path.startsWith('examples/') && !readersOfEnvironment.includes(file.path))
        .flatMap((file) => places(file, 'code', /\bprocess\s*(\?\.|\.)\s*env\b|\benv\b[^;\n]*=\s*process\b/g, () => 'reads the environment')),
    broken: [{ 'packages/server/src/db/a.ts': "const url = process.env['X']" }, { 'packages/sdk/src/a.ts': 'const { env } = process' }],
  },
  {
    name: 'SQL stands in stores and in db',
    remedy: 'Make it a function of a *-store.ts beside it.',
    offences: (files) =>
      files
        .filter((file) => inServer(file) && folderOf(file.path) !== 'db' && !file.path.endsWith('-store.ts'))
        // The offline planner writes SQL for a warehouse as a model would: it is its answer, not a statement of ours.
        .filter((file) => !file.path.startsWith('packages/server/src/gateway/offline/'))
        .flatMap((file) => [
          ...places(file, 'code', /\bsql`/g, () => 'makes SQL'),
          ...places(
            file,
            'uncommented',
            /['"`]\s*(select\s[^'"`]*\sfrom\s|insert\s+into\s|update\s+\w+\s+set\s|delete\s+from\s|(create|alter|drop)\s+table\s|with\s+\w+\s+as\s*\()/gi,
            () => 'holds SQL',
          ),
        ]),
    broken: [
      { 'packages/server/src/engine/a.ts': 'db.rows(sql`select 1`)' },
      { 'packages/server/src/engine/a.ts': "client.query('delete from runs')" },
      { 'packages/server/src/engine/a.ts': 'const text = `\n  update runs set state = 1`' },
    ],
  },
  {
    name: 'a statement that knows its tenant runs under it',
    remedy: 'Take a TenantTx (db.forTenant(tenantId)) instead of a Tx: row-level security holds then, whatever the where says.',
    offences: (files) =>
      files
        .filter((file) => inServer(file) && file.path.endsWith('-store.ts') && !underTheEnginesRole.test(file.path))
        .flatMap((file) =>
          places(
            file,
            'code',
            /\bfunction\s+(\w+)(?:<[^>]*>)?\(\s*\w+:\s*(?:Tx|Db)\b[^()]*\b(?:tenantId:\s*string|:\s*Audience)\b/g,
            ([, name]) => `${name} knows its tenant`,
          ),
        ),
    broken: [
      { 'packages/server/src/engine/a-store.ts': 'export async function findRun(db: Tx, tenantId: string, runId: string) {}' },
      { 'packages/server/src/engine/a-store.ts': 'export async function listRuns(\n  tx: Db,\n  audience: Audience,\n) {}' },
    ],
  },
  {
    name: 'clocks, timers and chance are the kernel’s',
    remedy: 'Use after, sleep, monotonicMs, wallClock, newId, random or secret of the kernel; a durable instant is the database’s.',
    offences: (files) =>
      files
        .filter((file) => inServer(file) && folderOf(file.path) !== 'kernel' && !programsApart.includes(file.path))
        .flatMap((file) => [
          ...places(
            file,
            'code',
            /\b(Date\.now|performance\.now|Math\.random|randomUUID|randomBytes|setTimeout|setInterval)\b|\bnew Date\(\s*\)/g,
            ([what]) => `uses ${what}`,
          ),
          ...importsOf(file).flatMap(({ specifier, line }) =>
            /^(node:)?timers(\/promises)?$/.test(specifier) ? [`${file.path}:${line} imports ${specifier}`] : [],
          ),
        ]),
    broken: [
      { 'packages/server/src/engine/a.ts': 'const at = Date.now()' },
      { 'packages/server/src/engine/a.ts': 'const at = new Date()' },
      { 'packages/server/src/engine/a.ts': 'const text = `${Math.random()}`' },
      { 'packages/server/src/engine/a.ts': "import { setTimeout as wait } from 'node:timers/promises'" },
    ],
  },
  {
    name: 'exports have names',
    remedy: 'export const or export function. Only files that an agent’s folder is made of, and configuration of tools, export a default.',
    offences: (files) =>
      files
        .filter(
          (file) => !/\/agent\/(subagents\/[^/]+\/)?(agent|(tools|hooks|schedules|channels)\/[^/]+)\.ts$/.test(file.path) && !file.path.endsWith('.config.ts'),
        )
        .flatMap((file) => places(file, 'code', /\bexport\s+default\b|\bexport\s*\{[^}]*\bas\s+default\b/g, () => 'has a default export')),
    broken: [{ 'packages/sdk/src/a.ts': 'export default function x() {}' }, { 'packages/sdk/src/a.ts': 'export { x as default }' }],
  },
  {
    name: 'types say what is there',
    remedy: 'unknown instead of any, a union of words instead of an enum, a module instead of a namespace, a function instead of a decorator.',
    offences: (files) =>
      files.flatMap((file) => [
        ...places(file, 'code', /(?:[:<,|&=]|\bas|=>)\s*any\b(?!\s*[:(.])/g, () => 'says any'),
        ...places(file, 'code', /(?:^|[^.\w])enum\s+\w+\s*\{/g, () => 'declares an enum'),
        ...places(file, 'code', /(?:^|\n)\s*(?:export\s+)?(?:declare\s+)?namespace\s+\w+/g, () => 'declares a namespace'),
        ...places(file, 'code', /(?:^|\n)\s*@\w+(?:\(|\s*\n\s*(?:export|class|\w+\())/g, () => 'uses a decorator'),
      ]),
    broken: [
      { 'packages/sdk/src/a.ts': 'const x: any = 1' },
      { 'packages/sdk/src/a.ts': 'const x = 1 as any' },
      { 'packages/sdk/src/a.ts': 'let x: Map<string, any>' },
      { 'packages/sdk/src/a.ts': 'export enum Colour { red }' },
      { 'packages/sdk/src/a.ts': 'export namespace Colour {}' },
      { 'packages/sdk/src/a.ts': '@Injectable()\nclass X {}' },
    ],
  },
  {
    name: 'nothing is left lying about: .only, console.log, debugger',
    remedy: 'Take it out; what people should read goes through the log or the program’s output.',
    offences: (files) =>
      files
        .filter((file) => /^(packages|examples)\//.test(file.path))
        .flatMap((file) => [
          ...places(file, 'code', /\b(?:test|it|describe|suite)(?:\.\w+)*\.only\b/g, () => 'runs alone (.only)'),
          // Programs of their own, for the terminal.
          ...(/\/(bin|dev)\//.test(file.path) || file.path === 'packages/sdk/test/worker-cost.ts'
            ? []
            : places(file, 'code', /\bconsole\.(log|debug|info|warn|error|dir|table|trace)\b/g, ([what]) => `calls ${what}`)),
          ...places(file, 'code', /\bdebugger\b/g, () => 'stops in a debugger'),
        ]),
    broken: [
      { 'packages/sdk/src/a.test.ts': "test.only('x', () => {})" },
      { 'packages/sdk/src/a.test.ts': "describe.concurrent.only('x', () => {})" },
      { 'packages/server/src/a.ts': "console.log('here')" },
      { 'packages/server/src/a.ts': 'debugger' },
    ],
  },
  {
    name: 'files and folders are named for what they are about',
    remedy: 'utils, helpers, common, misc and types say nothing. Name the noun, or put the function where it is used.',
    offences: (files) =>
      files.flatMap(({ path }) => (/(^|[/-])(utils?|helpers?|common|misc|types?)(\.[a-z.]+$|\/)/.test(path) ? [`${path} is called so`] : [])),
    broken: [{ 'packages/sdk/src/utils.ts': '' }, { 'packages/sdk/src/helpers/a.ts': '' }, { 'packages/server/src/run-types.ts': '' }],
  },
]

function circles(files: SourceFile[]): string[] {
  const known = new Set(files.map(({ path }) => path))
  // What is imported as a type only is gone when the program runs: `typeof` of a module's table may point back.
  const edges = new Map(
    files.map((file) => [file.path, importsOf(file).flatMap(({ target, isType }) => (target && !isType && known.has(target) ? [target] : []))]),
  )
  const found = new Set<string>()
  const done = new Set<string>()
  const visit = (path: string, trail: string[]): void => {
    const at = trail.indexOf(path)
    if (at !== -1) {
      const circle = trail.slice(at)
      const first = circle.indexOf([...circle].sort()[0] ?? '')
      found.add([...circle.slice(first), ...circle.slice(0, first), circle[first]].join(' → '))
    }
    if (at !== -1 || done.has(path)) return
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path])
    done.add(path)
  }
  for (const path of edges.keys()) visit(path, [])
  return [...found]
}
