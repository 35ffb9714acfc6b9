/** The sandboxes of agents' runs: begun from what the agent declares, with the way out that it declares and no other, and every use of it in the run's record. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AgentSandbox, type ExecResult } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import type { z } from 'zod'
import { type ExecutorPorts, makeExecutors } from '../../src/agents/index.ts'
import type { StepContext } from '../../src/engine/run/ports.ts'
import { newId, StepFailure } from '../../src/kernel/index.ts'
import { type World, openWorld } from '../support/egress-world.ts'
import { type BedOptions, type ManagedBed, openManagedBed } from '../support/managed-bed.ts'
import { noAttachments } from '../support/no-attachments.ts'
import { openPackageHosts, packageEnv, packageRules } from '../support/package-hosts.ts'
import { isHere, usableModes } from '../support/sandbox-modes.ts'

const isReal = usableModes().length > 0
const hasPackageManagers = isReal && ['npm', 'python3', 'git'].every((program) => isHere(program, 'packages of runs'))
const asker = { id: 'ada', name: 'ada', access: { personalData: true } }

type About = { runId?: string; sessionId?: string; withholdsWrites?: boolean; tenantId?: string }

/** The server's own executors over real sandboxes, for an agent that declares this. */
function runsOf(
  bed: ManagedBed,
  declared: z.input<typeof AgentSandbox> | undefined,
  { egressHosts = ['*'], secrets = {} }: { egressHosts?: string[]; secrets?: Record<string, string> } = {},
) {
  const tools = {
    manifestOf: async () => ({ sandbox: declared && AgentSandbox.parse(declared) }),
    egressOf: async (_: unknown, egress: AgentSandbox['egress']) =>
      egress && {
        ...egress,
        rules: egress.rules.map(({ credential, ...rule }) => ({
          ...rule,
          ...(credential && { credential: { header: credential.header, value: credential.prefix + secrets[credential.secret] } }),
        })),
      },
  }
  const ports = { sandboxes: bed.runs, attachments: noAttachments, tools, egressHosts, folderOf: () => join(bed.folder, 'version') }
  const { exec, files } = makeExecutors(ports as unknown as ExecutorPorts) // Nothing of the rest is used here.
  const contextOf = ({ runId = newId(), sessionId, withholdsWrites = false, tenantId = 'acme' }: About) =>
    ({
      run: { id: runId, tenantId, namespace: 'default', agent: 'agent', version: 'v1', sessionId: sessionId ?? null, asker, withholdsWrites },
      signal: new AbortController().signal,
      live: () => {},
    }) as unknown as StepContext // As above.
  return {
    async run(script: string, about: About = {}): Promise<ExecResult> {
      const done = await exec?.execute({ script, timeoutMs: 60_000 }, contextOf(about))
      return done?.output as ExecResult // What the executor gives.
    },
    async read(path: string, about: About = {}) {
      const done = await files?.execute({ action: 'read', path }, contextOf(about))
      return done?.output as { base64: string; labels?: string[] } // As above.
    },
  }
}

async function open(options: BedOptions = {}, serve?: Parameters<typeof openWorld>[1]) {
  const world: World = await openWorld({}, serve)
  const bed = await openManagedBed({ reach: world.reach, ...options })
  return {
    world,
    bed,
    async [Symbol.asyncDispose]() {
      await bed[Symbol.asyncDispose]()
      await world[Symbol.asyncDispose]()
    },
  }
}

const ask = (url: string) => `curl -sS -m 5 -o page -w '%{http_code}' ${url} || echo none`
const connectionsOf = (bed: ManagedBed, runId: string, tenantId = 'acme') => bed.runs.connections({ tenantId, runId }, { limit: 50 })

test.skipIf(!isReal)(
  'nothing leaves a run whose agent declares nothing; what it declares does, with the secret put in outside and every attempt recorded',
  async () => {
    await using t = await open()
    const closed = runsOf(t.bed, undefined)
    expect((await closed.run(ask('http://shop.test/'))).stdout).toMatch(/none\n$/)
    expect((await closed.run('env | grep -i proxy || echo no proxy')).stdout).toBe('no proxy\n')

    const runId = newId()
    const declared = {
      egress: {
        rules: [
          { host: 'shop.test', methods: ['GET' as const], paths: ['/goods*'], credential: { header: 'authorization', secret: 'shop', prefix: 'Bearer ' } },
        ],
      },
    }
    const shop = runsOf(t.bed, declared, { secrets: { shop: 'hidden' } })
    const first = await shop.run(`${ask('https://shop.test/goods?q=1')}; cat page; env; cat /proc/*/environ 2>/dev/null`, { runId })
    expect(first.stdout).toMatch(/^200hello\n/)
    expect(first.stdout).not.toContain('hidden')
    expect(first.labels).toEqual(['web:shop.test'])
    expect(t.world.seen.map(({ url, headers, isTls }) => [url, headers['authorization'], isTls])).toEqual([['/goods?q=1', 'Bearer hidden', true]])
    expect((await shop.run(`${ask('https://shop.test/admin')}; cat page`, { runId })).stdout).toMatch(/^403longhaul: No rule allows GET \/admin/)
    expect((await shop.run(ask('https://other.test/'), { runId })).stdout).toMatch(/none\n$/)
    expect(t.world.seen).toHaveLength(1)
    expect((await connectionsOf(t.bed, runId)).items.map(({ host, path, verdict, status }) => [host, path, verdict, status])).toEqual([
      ['other.test', null, 'refused', null],
      ['shop.test', '/admin', 'refused', null],
      ['shop.test', '/goods', 'allowed', 200],
    ])
    expect((await connectionsOf(t.bed, runId, 'globex')).items).toEqual([])
    // What lies in its sandbox may be a stranger's words from then on, also after a restart.
    expect((await shop.read('page', { runId })).labels).toEqual(['web:shop.test'])
    await t.bed.restart()
    expect((await runsOf(t.bed, declared).read('page', { runId })).labels).toEqual(['web:shop.test'])
    expect((await runsOf(t.bed, declared).run('true')).labels).toBeUndefined()
  },
)

test.skipIf(!isReal)('runs of one session have a record and limits each of their own, and a fork that withholds its writes reaches nothing', async () => {
  await using t = await open()
  const [one, two, fork] = [newId(), newId(), newId()]
  const shop = runsOf(t.bed, { egress: { rules: [{ host: 'shop.test' }], requestsMax: 2 } })
  const inSession = (runId: string) => ({ runId, sessionId: 's' })
  expect((await shop.run(ask('http://shop.test/1'), inSession(one))).stdout).toBe('200')
  expect((await shop.run(ask('http://shop.test/2'), inSession(two))).stdout).toBe('200')
  expect((await shop.run(ask('http://shop.test/3'), inSession(two))).stdout).toBe('200')
  expect((await shop.run(ask('http://shop.test/4'), inSession(two))).stdout).toBe('429')
  // The limit is the run's, over a restart as well.
  await t.bed.restart()
  const again = runsOf(t.bed, { egress: { rules: [{ host: 'shop.test' }], requestsMax: 2 } })
  expect((await again.run(ask('http://shop.test/5'), inSession(two))).stdout).toBe('429')
  expect((await again.run(ask('http://shop.test/6'), inSession(one))).stdout).toBe('200')
  expect((await connectionsOf(t.bed, one)).items.map(({ path }) => path)).toEqual(['/6', '/1'])

  expect((await again.run(`${ask('http://shop.test/7')}; cat page`, { runId: fork, withholdsWrites: true })).stdout).toMatch(/^403longhaul: No rule/)
  expect(t.world.seen.map(({ url }) => url)).toEqual(['/1', '/2', '/3', '/6'])
  // Another version of the agent, which declares nothing, has no way out although a run before it in the session had one.
  expect((await runsOf(t.bed, undefined).run(ask('http://shop.test/8'), inSession(one))).stdout).toMatch(/none\n$/)
})

test.skipIf(!isReal)('an operator says which hosts runs may reach at all', async () => {
  await using t = await open()
  const declared = { egress: { rules: [{ host: 'api.shop.test' }] } }
  for (const egressHosts of [[], ['none'], ['shop.test'], ['*.other.test']])
    await expect(runsOf(t.bed, declared, { egressHosts }).run('true')).rejects.toMatchObject({
      failure: { code: 'not_permitted', message: expect.stringMatching(/api\.shop\.test.*LONGHAUL_SANDBOX_EGRESS_HOSTS/) },
    })
  await expect(
    runsOf(t.bed, { egress: { rules: [{ host: '*.shop.test' }] } }, { egressHosts: ['api.shop.test', '*.api.shop.test'] }).run('true'),
  ).rejects.toBeInstanceOf(StepFailure)
  for (const egressHosts of [['*'], ['*.shop.test'], ['*.test'], ['api.shop.test']])
    expect((await runsOf(t.bed, declared, { egressHosts }).run(ask('http://api.shop.test/'))).stdout).toBe('200')
})

test.skipIf(!hasPackageManagers)('git, npm and pip work in a run when they are allowed', async () => {
  using hosts = openPackageHosts()
  await using t = await open({}, hosts.serve)
  const runs = runsOf(t.bed, { egress: { rules: packageRules } })
  const env = Object.entries(packageEnv).map(([name, value]) => `export ${name}=${value}`)
  const script = [
    ...env,
    'git clone --quiet https://git.test/repository.git r && cat r/readme',
    'npm install --silent greeting && node -p "require(\'greeting\')"',
    'PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install --quiet --user greeting && python3 -c "import greeting; print(greeting.text)"',
  ].join('\n')
  expect((await runs.run(script)).stdout).toMatch(/^hello from git\n[^]*hello from npm\nhello from pip\n$/)
})

test.skipIf(!isReal)('a template that an agent declares is prepared once for all of its runs, from its own files, and again when either changes', async () => {
  await using t = await open()
  const seed = join(t.bed.folder, 'version/agent/sandbox/workspace')
  mkdirSync(seed, { recursive: true })
  writeFileSync(join(seed, 'given'), 'one\n')
  const declared = { template: { commands: ['tr a-z A-Z < given > made; date +%s%N > when'], env: { KIND: 'declared' } } }
  const runs = runsOf(t.bed, declared)
  const all = await Promise.all([runs.run('cat given made when'), runs.run('cat given made when'), runsOf(t.bed, declared).run('cat given made when')])
  expect(new Set(all.map(({ stdout }) => stdout)).size).toBe(1)
  expect(all[0]?.stdout).toMatch(/^one\nONE\n\d+\n$/)
  const listed = async () => (await t.bed.templates.service.list({ tenantId: 'acme', askerId: undefined }, { limit: 10 })).items
  expect(await listed()).toMatchObject([{ name: 'agent/agent', version: 1, state: 'ready' }])
  // A run's workspace is its own, and is not begun anew.
  const runId = newId()
  await runs.run('echo mine > made', { runId })
  await t.bed.restart()
  expect((await runsOf(t.bed, declared).run('cat made', { runId })).stdout).toBe('mine\n')

  const failing = runsOf(t.bed, { template: { commands: ['echo broken >&2; exit 9'] } })
  await expect(failing.run('true')).rejects.toMatchObject({
    failure: { code: 'template_failed', retryable: false, message: expect.stringMatching(/exit code 9\.\nbroken/) },
  })
  await expect(failing.run('true')).rejects.toMatchObject({ failure: { code: 'template_failed' } })
  expect(await listed()).toHaveLength(2) // The second was told of the first one's failure.
  expect(existsSync(join(t.bed.folder, 'sandboxes', runId))).toBe(true)
})

test.skipIf(!isReal)('a workspace whose template was not laid out to its end is begun anew', async () => {
  await using t = await open()
  const declared = { template: { commands: ['echo whole > made'] } }
  const runId = newId()
  await runsOf(t.bed, undefined).run('echo half > left', { runId })
  await t.bed.restart()
  expect((await runsOf(t.bed, declared).run('ls; cat made', { runId })).stdout).toBe('made\nwhole\n')
})
