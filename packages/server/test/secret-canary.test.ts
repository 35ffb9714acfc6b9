/**
 * A secret's value, set by the real command at the real program and used at a provider of models, is nowhere: not in the database's files, the log, the
 * journal, an answer, an export, a prompt, the log of model calls, a worker or a sandbox.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCli } from '../../cli/src/run-cli.ts'
import { newId } from '../src/kernel/index.ts'
import { type FakeProvider, startFakeProvider } from './support/fake-provider.ts'
import { type ServerProcess, openServerProcess, processesOf, until } from './support/server-process.ts'

// Made anew each time: a version's folder links to the packages, and so to this file.
const value = `canary-${newId()}`
const shownAnywhere = `sparrow-${newId()}`
const forms = (text: string): Buffer[] => [Buffer.from(text), Buffer.from(Buffer.from(text).toString('base64')), Buffer.from(Buffer.from(text).toString('hex'))]

let server: ServerProcess
let provider: FakeProvider
beforeAll(async () => {
  provider = await startFakeProvider([{ text: ['Hello.'] }])
  server = await openServerProcess({
    env: {
      LONGHAUL_AGENTS_DIR: join(import.meta.dirname, 'fixtures/start-agents'),
      LONGHAUL_LOG_LEVEL: 'debug',
      LONGHAUL_PROVIDER_BASE_URLS: JSON.stringify({ openai: provider.baseUrls.openai }),
    },
  })
  await server.start()
}, 120_000)
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await provider[Symbol.asyncDispose]()
})

async function longhaul(args: string[], stdin = ''): Promise<{ exit: number; out: string }> {
  let out = ''
  const stream = { write: (text: string) => ((out += text), true), columns: 200 }
  const exit = await runCli(args, '9.9.9', {
    ...{ stdout: stream, stderr: stream, folder: tmpdir(), interrupted: new AbortController().signal },
    readStdin: async () => stdin,
    readSecret: async () => stdin,
    env: { LONGHAUL_URL: server.url(), LONGHAUL_API_KEY: server.key() },
  })
  return { exit, out }
}

/** Has the server call a model with the secret as its key. Returns what the answer and the log of calls say of it, the texts too. */
async function callModel(prompt: string): Promise<string> {
  await server.client.providers.set({ name: 'openai', secrets: ['crm'] })
  const response = await fetch(`${server.url()}/openai/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.key()}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'openai/gpt-5', messages: [{ role: 'user', content: prompt }] }),
  })
  const answer = await response.text()
  expect([response.status, answer]).toEqual([200, expect.stringContaining('Hello.')])
  const call = await until('the log of calls', 10_000, async () => (await server.client.calls.list({})).items[0])
  return `${answer}${JSON.stringify([call, await server.client.calls.reveal({ callId: call.id, reason: 'a test' }), await server.client.providers.list({})])}`
}

/** All that a command in a sandbox can see: its environment, the files and what is said of it. */
async function lookAroundInSandbox(): Promise<string> {
  const sandbox = await server.client.sandboxes.create({ env: { SHOWN: shownAnywhere } })
  const { stdout } = await server.client.sandboxes.exec({ sandboxId: sandbox.id, script: 'env; printf %s "$SHOWN" > kept.txt; cat *' })
  expect(stdout.split(shownAnywhere)).toHaveLength(3) // The control: the search sees the environment and the files.
  return `${stdout}${JSON.stringify(await server.client.sandboxes.get({ sandboxId: sandbox.id }))}`
}

/** Nothing for a process that ended since it was listed. */
function environmentOf(pid: number): Buffer[] {
  try {
    return [readFileSync(`/proc/${pid}/environ`)]
  } catch {
    return []
  }
}

/** As raw bytes; links, to the packages for example, are not followed. */
function filesWith(needle: Buffer): string[] {
  const { status, stdout } = spawnSync('grep', ['-rlaF', '-e', needle.toString(), server.dataDir], { encoding: 'utf8' })
  if (status !== 0 && status !== 1) throw new Error(`grep ended with ${status}.`)
  return stdout.split('\n').filter(Boolean)
}

test('the value of a secret is nowhere, and a text that nobody hid is found', { timeout: 180_000 }, async () => {
  const answers = [
    await longhaul(['secrets', 'set', 'crm', '--description', 'a test'], `${value}\n`),
    await longhaul(['secrets', 'list', '--json']),
    await longhaul(['secrets', 'list', 'crm', '--json']),
  ]
  expect(answers.map(({ exit }) => exit)).toEqual([0, 0, 0])
  const { id: runId } = await server.client.runs.start({ agent: 'good', input: shownAnywhere })
  await until('the run to complete', 20_000, async () => (await server.client.runs.get({ runId })).state === 'completed' || undefined)
  await until('the audit log', 10_000, async () => (await server.client.audit.list({ action: 'secrets.set' })).items.length === 1 || undefined)
  const seen = [await callModel(shownAnywhere), await lookAroundInSandbox(), JSON.stringify(await server.client.runs.get({ runId }))]
  expect(provider.requests.map(({ key }) => key)).toEqual([value]) // It was really used.
  answers.push(
    await longhaul(['audit', 'export', '--ocsf']),
    await longhaul(['audit', 'export']),
    await longhaul(['runs', 'events', runId, '--json']),
    await longhaul(['audit', 'verify']),
  )
  expect(answers.at(-1)?.exit).toBe(0)

  const environments = processesOf(join(server.dataDir, '..')).flatMap(environmentOf)
  expect(environments.length).toBeGreaterThan(0)
  const written = Buffer.concat([
    Buffer.from(server.life().output()),
    ...answers.map(({ out }) => Buffer.from(out)),
    ...seen.map((text) => Buffer.from(text)),
    ...environments,
  ])
  const prompts = Buffer.from(provider.requests.map(({ text }) => text).join())
  await server.stop() // So that everything is in PostgreSQL's files.
  for (const form of forms(value)) {
    expect(written.includes(form)).toBe(false)
    expect(prompts.includes(form)).toBe(false)
    expect(filesWith(form)).toEqual([])
  }
  // The control: the same search finds the run's input in the answers and in PostgreSQL's files.
  expect(written.includes(shownAnywhere)).toBe(true)
  expect(prompts.includes(shownAnywhere)).toBe(true)
  expect(filesWith(Buffer.from(shownAnywhere)).length).toBeGreaterThan(0)
  // And the value was really kept: the next life would use it.
  await server.start()
  expect((await longhaul(['secrets', 'list', '--json'])).out).toContain('"name":"crm"')
})

test('an export and a head that were kept verify without the server; one that was changed does not', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'audit-export-'))
  const file = (name: string) => join(folder, name)
  const [exported, head] = [await longhaul(['audit', 'export']), await longhaul(['audit', 'head'])]
  const lines = exported.out.trimEnd().split('\n')
  await writeFile(file('audit.jsonl'), exported.out)
  await writeFile(file('head.json'), head.out)
  await writeFile(file('cut.jsonl'), lines.slice(0, -1).join('\n'))
  await writeFile(file('edited.jsonl'), exported.out.replace('"action":"secrets.set"', '"action":"secrets.get"'))
  const verify = async (name: string, ...more: string[]) => (await longhaul(['audit', 'verify', '--file', file(name), ...more])).exit
  expect(lines.length).toBeGreaterThan(2)
  expect(await verify('audit.jsonl', '--head', file('head.json'))).toBe(0)
  expect(await verify('cut.jsonl', '--head', file('head.json'))).toBe(1)
  expect(await verify('edited.jsonl')).toBe(1)
  expect((await longhaul(['audit', 'verify', '--head', file('head.json')])).exit).toBe(0)
  await rm(folder, { recursive: true })
})

test('tenants, namespaces, policies and keys by the command', async () => {
  const done = async (...args: string[]) => {
    const ran = await longhaul(args)
    expect([args, ran.exit, ran.out]).toEqual([args, 0, expect.any(String)])
    return ran.out
  }
  const made = JSON.parse(await done('tenants', 'create', 'acme', '--runs', '5', '--json')) as { key: { secret: string } }
  expect(made.key.secret).toMatch(/^lh_/)
  expect(await done('tenants', 'list')).toMatch(/acme +open +5 runs in flight/)
  expect(await done('tenants', 'suspend', 'acme')).toContain('suspended')
  await done('tenants', 'resume', 'acme')
  await done('namespaces', 'put', 'prod', '--starts', '60')
  expect(await done('namespaces', 'list')).toMatch(/prod +60 starts a minute/)
  const folder = await mkdtemp(join(tmpdir(), 'policies-'))
  await writeFile(join(folder, 'p.cedar'), 'forbid (principal, action == Action::"tools.call", resource == Tool::"refund");')
  const test1 = ['policies', 'test', 'tools.call', '--resource', 'refund']
  await done(...test1)
  expect((await longhaul([...test1, '--draft', join(folder, 'p.cedar')])).exit).toBe(4)
  await done('policies', 'put', 'no-refunds', join(folder, 'p.cedar'))
  expect((await longhaul(test1)).out).toContain('no-refunds')
  await done('policies', 'delete', 'no-refunds')
  await rm(folder, { recursive: true })
  await done('keys', 'create', 'night-shift', '--role', 'operator', '--namespace', 'prod', '--expires', '90')
  expect(await done('keys', 'list')).toMatch(/night-shift .*operator · in prod/)
  await done('keys', 'rotate', 'night-shift', '--overlap', '0')
  expect((await done('keys', 'list')).match(/night-shift/g)).toHaveLength(1)
  await until('the audit log', 10_000, async () => (await done('audit', 'list', '--action', 'keys.rotate')).includes('keys.rotate') || undefined)
})
