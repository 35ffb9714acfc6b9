/** What this installation was told. The only reader of the environment. */
import { z } from 'zod'
import { logLevels } from './kernel/index.ts'
import { searchProviders } from './tools/index.ts'

const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(min).max(max))
const folder = z.string().max(4_096)
const modelId = z
  .string()
  .max(200)
  .regex(/^[^/\s]+\/\S+$/, 'must look like provider/model, for example openai/gpt-5')
const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// address' }).max(2_000)
const postgresUrl = z.url({ protocol: /^postgres(ql)?$/, error: 'must look like postgresql://user:password@host:5432/database' }).max(2_000)
const secret = z.string().max(1_000)

/** Every setting there is. `docs/reference/config.md` is made from this table. */
export const settings = {
  LONGHAUL_HTTP_PORT: integer(0, 65_535).default(8080).describe('Port of the API and the console. 0 takes a free one, which is printed.'),
  LONGHAUL_HTTP_HOST: z
    .string()
    .max(255)
    .default('127.0.0.1')
    .describe('Address to listen on. `0.0.0.0` or `::` lets other machines in: put TLS in front of it.'),
  LONGHAUL_PUBLIC_URL: httpUrl
    .optional()
    .describe('Address under which people reach this server when it is another than where it listens: behind a proxy on the same machine, for example.'),
  LONGHAUL_DATABASE_URL: postgresUrl.optional().describe('PostgreSQL to use. Absent: one is started in the data folder.'),
  LONGHAUL_DATABASE_CONNECTIONS: integer(2, 1_000).default(10).describe('Connections in the pool. The engine has four of its own besides.'),
  LONGHAUL_DATA_DIR: folder.default('.longhaul').describe('Folder for the embedded database, files and this machine’s key.'),
  LONGHAUL_AGENTS_DIR: folder.default('examples').describe('Folder whose folders are deployed as agents when the server starts.'),
  LONGHAUL_LOG_LEVEL: z.enum(logLevels).default('info').describe('Least level that is logged. `debug` shows prompts and results of tools.'),
  LONGHAUL_LOG_FORMAT: z.enum(['auto', 'text', 'json']).default('auto').describe('`auto` is text in a terminal and JSON lines otherwise.'),
  LONGHAUL_LEASE_MS: integer(1_000, 3_600_000)
    .default(10_000)
    .describe('How long a server holds a run without renewing. After a crash another one takes over no later than that.'),
  LONGHAUL_WORKERS_PER_VERSION: integer(1, 64).default(1).describe('Worker processes that this server starts for each live version of an agent.'),
  LONGHAUL_SANDBOX_DRIVER: z
    .enum(['auto', 'bwrap', 'virtual'])
    .default('auto')
    .describe('Where generated code runs. `auto` takes `bwrap` where the host allows it, else `virtual`.'),
  LONGHAUL_MODEL: modelId
    .optional()
    .describe('What an agent gets that names no model, as `provider/model`. Absent: the first provider that has a key, else the offline stand-in.'),
  LONGHAUL_MODEL_TIMEOUT_MS: integer(1_000, 3_600_000).default(120_000).describe('Longest silence of a model before its call fails and is retried.'),
  LONGHAUL_OPENAI_COMPATIBLE_BASE_URL: httpUrl.optional().describe('Address of any server that speaks OpenAI’s chat completions: Ollama, vLLM, LM Studio, …'),
  LONGHAUL_OPENAI_COMPATIBLE_MODEL: z.string().max(200).optional().describe('Model to ask for there.'),
  LONGHAUL_OPENAI_COMPATIBLE_API_KEY: secret.optional().describe('Its key, if it wants one.'),
  LONGHAUL_BODY_BYTES_MAX: integer(1_000, 16_000_000).default(1_000_000).describe('Largest request body.'),
  LONGHAUL_SECRETS_FILE: folder
    .optional()
    .describe(
      'YAML file with the secrets that tools of connections need: for each its `value`, the `hosts` it may be sent to, and `agents` if not all may use it.',
    ),
  LONGHAUL_TOOLS_PRIVATE_HOSTS: z
    .string()
    .max(10_000)
    .default('')
    .describe(
      'Hosts that are not on the public internet and that tools may reach, as `host` or `host:port`, separated by commas. Absent: none, this machine included.',
    ),
  LONGHAUL_SEARCH_PROVIDER: z.enum(searchProviders).optional().describe('Who answers the stock tool `web_search`.'),
  LONGHAUL_SEARCH_API_KEY: secret.optional().describe('Its key. SearXNG needs none.'),
  LONGHAUL_SEARCH_BASE_URL: httpUrl.optional().describe('Its address, when it is another than the provider’s own. SearXNG needs it.'),
  OPENAI_API_KEY: secret.optional().describe('Makes OpenAI’s models available.'),
  ANTHROPIC_API_KEY: secret.optional().describe('Makes Anthropic’s models available.'),
  GOOGLE_GENERATIVE_AI_API_KEY: secret.optional().describe('Makes Google’s models available.'),
  LONGHAUL_TEST_CRASH_FILE: folder
    .optional()
    .describe('For tests only, refused unless NODE_ENV is `test`: a file in which a test names the point at which the server ends itself.'),
} as const

/** Settings of the command line and of the tests. They may stand in the same environment, so they are no typing errors. */
const settingsOfOthers = ['LONGHAUL_URL', 'LONGHAUL_API_KEY', 'LONGHAUL_TEST_DATABASE_URL', 'LONGHAUL_CONSOLE_API']

const Config = z
  .object(settings)
  .readonly()
  .superRefine((config, context) => {
    const needs = (name: keyof typeof settings, other: keyof typeof settings) => {
      if (config[name] !== undefined && config[other] === undefined) context.addIssue({ code: 'custom', path: [name], message: `needs ${other} as well` })
    }
    needs('LONGHAUL_OPENAI_COMPATIBLE_BASE_URL', 'LONGHAUL_OPENAI_COMPATIBLE_MODEL')
    needs('LONGHAUL_OPENAI_COMPATIBLE_MODEL', 'LONGHAUL_OPENAI_COMPATIBLE_BASE_URL')
    needs('LONGHAUL_SEARCH_API_KEY', 'LONGHAUL_SEARCH_PROVIDER')
    needs('LONGHAUL_SEARCH_BASE_URL', 'LONGHAUL_SEARCH_PROVIDER')
    if (config.LONGHAUL_SEARCH_PROVIDER === 'searxng') needs('LONGHAUL_SEARCH_PROVIDER', 'LONGHAUL_SEARCH_BASE_URL')
    else needs('LONGHAUL_SEARCH_PROVIDER', 'LONGHAUL_SEARCH_API_KEY')
    needs('LONGHAUL_OPENAI_COMPATIBLE_API_KEY', 'LONGHAUL_OPENAI_COMPATIBLE_BASE_URL')
  })
export type Config = z.infer<typeof Config>

/** Throws one readable message that names every wrong or unknown setting. Values are not repeated: they may be secrets. */
export function loadConfig(env: Record<string, string | undefined> = process.env): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value.trim() !== ''))
  const unknown = Object.keys(given).filter((name) => name.startsWith('LONGHAUL_') && !(name in settings) && !settingsOfOthers.includes(name))
  const parsed = Config.safeParse(given)
  const isMisused = given['LONGHAUL_TEST_CRASH_FILE'] !== undefined && given['NODE_ENV'] !== 'test'
  const problems = [
    ...(isMisused ? ['LONGHAUL_TEST_CRASH_FILE: makes the server end itself, so it is taken only with NODE_ENV=test'] : []),
    ...unknown.map((name) => `${name} is not a setting. Did you mean ${nearest(name)}?`),
    ...(parsed.error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`),
  ]
  if (!parsed.success || problems.length > 0)
    throw new Error(`Bad settings:\n${problems.map((problem) => `  ${problem}`).join('\n')}\nAll settings: docs/reference/config.md`)
  return parsed.data
}

const nearest = (name: string): string =>
  Object.keys(settings).reduce((best, candidate) => (distance(name, candidate) < distance(name, best) ? candidate : best))

/** How many letters must be changed, added or removed to make one of the other. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i)
  for (const [i, letter] of [...from].entries()) {
    const next = [i + 1]
    for (const [j, other] of [...to].entries()) {
      next.push(Math.min(at(next, j) + 1, at(row, j + 1) + 1, at(row, j) + (letter === other ? 0 : 1)))
    }
    row = next
  }
  return at(row, to.length)
}

const at = (row: number[], i: number): number => row[i] ?? Infinity

/** What any program needs to run, and nothing of ours: workers execute code that is not ours, so they get no key and no database address. */
export function workerEnvironment(env: Record<string, string | undefined> = process.env): Record<string, string> {
  const kept = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR']
  return Object.fromEntries(kept.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])))
}
