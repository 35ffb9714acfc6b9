/** Versions beside the live one, evaluations that are kept, and what a forge is told: against the real server with real workers; the forge is a fake. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ServerProcess, openServerProcess } from '../../server/test/support/server-process.ts'
import { findBuild, nameOfBranch } from '../src/commands/commit-status.ts'
import { command } from './support/run-command.ts'

let server: ServerProcess
let folder: string
let forge: Server
/** What the forge was told. */
const told: { path: string; headers: Record<string, unknown>; body: unknown }[] = []
let forgeUrl: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'longhaul-previews-'))
  server = await openServerProcess()
  await server.start()
  forge = createServer(async (request, response) => {
    told.push({ path: request.url ?? '', headers: request.headers, body: JSON.parse(await text(request)) })
    response.writeHead(request.headers.authorization === 'Bearer wrong' ? 401 : 201).end('{}')
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => forge.once('listening', resolve))
  forgeUrl = `http://127.0.0.1:${(forge.address() as AddressInfo).port}` // It listens on a port.
})
afterAll(async () => {
  forge.close()
  await server[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

const longhaul = (args: string[], env: Record<string, string> = {}) =>
  command(undefined, args, { folder, env: { LONGHAUL_URL: server.url(), LONGHAUL_API_KEY: server.key(), ...env } })
const write = async (path: string, content: string) => {
  await mkdir(dirname(join(folder, path)), { recursive: true })
  await writeFile(join(folder, path), content)
}
const answer = (words: string) => `({ text: ${JSON.stringify(words)}, model: 'offline/none' })`
const answering = (words: string) => `import { durable } from '@longhaul/sdk'\nexport default durable('Answers.', async () => ${answer(words)})\n`
const versionOf = (json: Record<string, unknown>[]): string => (json[0] as { version: { version: string } }).version.version

test('a preview is asked by its name, beside the live version, and is gone when it is deleted', async () => {
  await write('words/agent/agent.ts', answering('old words'))
  expect(await longhaul(['deploy', 'words'])).toMatchObject({ exit: 0 })
  await write('words/agent/agent.ts', answering('new words'))
  const made = await longhaul(['deploy', 'words', '--preview', 'new-words', '--keep-for', '1d'])
  expect(made).toMatchObject({ exit: 0, out: expect.stringContaining('npx longhaul ask words --preview new-words') })
  expect((await longhaul(['ask', 'words', '-q', 'What?'])).out).toContain('old words')
  expect((await longhaul(['ask', 'words', '-q', '--preview', 'new-words', 'What?'])).out).toContain('new words')
  expect((await longhaul(['previews', 'list', 'words'])).out).toMatch(/new-words +[0-9a-f]{12}/)
  expect(await longhaul(['runs', 'start', 'words', '--preview', 'new-words', '--agent-version', '0123456789ab'])).toMatchObject({ exit: 2 })
  expect(await longhaul(['previews', 'delete', 'words', 'new-words'])).toMatchObject({ exit: 0 })
  expect(await longhaul(['ask', 'words', '-q', '--preview', 'new-words', 'What?'])).toMatchObject({ exit: 5, err: expect.stringContaining('no preview') })
})

test('an undeployed version is for who may deploy; whoever only asks gets what is deployed or previewed', async () => {
  await write('closed/agent/agent.ts', answering('live'))
  await longhaul(['deploy', 'closed'])
  await write('closed/agent/agent.ts', answering('draft'))
  const version = versionOf((await longhaul(['deploy', 'closed', '--no-promote', '--json'])).json())
  const { secret } = await server.client.keys.create({ name: 'asks', permissions: ['runs:write', 'runs:read', 'agents:read'] })
  const asks = (...more: string[]) => longhaul(['ask', 'closed', '-q', 'What?', ...more], { LONGHAUL_API_KEY: secret })
  expect(await asks('--agent-version', version)).toMatchObject({ exit: 4, err: expect.stringContaining('agents:deploy') })
  expect((await longhaul(['ask', 'closed', '-q', 'What?', '--agent-version', version])).out).toContain('draft')
  await longhaul(['previews', 'set', 'closed', 'draft', version])
  expect((await asks('--agent-version', version)).out).toContain('draft')
})

test('the plan says which runs stay, and where they would diverge in the new code', async () => {
  const waits = (signal: string) =>
    `import { durable } from '@longhaul/sdk'\nexport default durable('Waits.', async (ctx) => { await ctx.waitForSignal('${signal}'); return 1 })\n`
  await write('waits/agent/agent.ts', `${waits('go')}// first\n`)
  const first = versionOf((await longhaul(['deploy', 'waits', '--json'])).json())
  const run = await server.client.runs.start({ agent: 'waits', input: {} })
  await expect.poll(async () => (await server.client.runs.get({ runId: run.id })).state, { timeout: 20_000 }).toBe('waiting')
  await write('waits/agent/agent.ts', `${waits('go')}// second\n`)
  const same = await longhaul(['deploy', 'waits', '--no-promote'])
  expect(same.out).toContain(`1 run stays on ${first} (1 waiting)`)
  expect(same.out).toContain('tried on 1 run under way: the code does what they did')
  await write('waits/agent/agent.ts', `import { durable } from '@longhaul/sdk'\nexport default durable('Ends.', async () => 2)\n`)
  const other = await longhaul(['deploy', 'waits', '--no-promote', '--json'])
  expect(other.json()[0]).toMatchObject({ plan: { triedCount: 1, diverging: [{ runId: run.id }] } })
  expect((await longhaul(['deploy', 'waits', '--no-promote', '--no-replay', '--json'])).json()[0]).toMatchObject({ plan: { triedCount: 0, diverging: [] } })
  await server.client.runs.cancel({ runId: run.id })
})

test('a score is kept with the version that answered', async () => {
  await write('scored/agent/agent.ts', answering('The answer is 4.'))
  await write('scored/evals/cases.yaml', `- id: unanswerable\n  question: What is unknown?\n  language: en\n  tags: [odd]\n  expect: { answerable: false }\n`)
  await longhaul(['deploy', 'scored'])
  const asked = await longhaul(['eval', 'scored', '--record', '--json'])
  expect([asked.exit, asked.err]).toEqual([0, ''])
  const list = (await longhaul(['evaluations', 'list', 'scored', '--json'])).json()[0] as { items: { suite: string; caseCount: number; version: string }[] }
  const live = (await server.client.agents.get({ name: 'scored' })).version
  expect(list.items).toMatchObject([{ suite: 'scored', caseCount: 1, version: live }])
  expect((await longhaul(['evaluations', 'list', 'scored'])).out).toMatch(/scored +[0-9a-f]{12}/)
})

test('in CI the preview is named like the branch, and the commit shows what became of it', async () => {
  const commit = 'c0ffee'.repeat(6) + 'c0ff'
  const github = {
    GITHUB_ACTIONS: 'true',
    GITHUB_API_URL: forgeUrl,
    GITHUB_REPOSITORY: 'acme/agents',
    GITHUB_SHA: commit,
    GITHUB_HEAD_REF: 'feature/New_Words',
    GITHUB_TOKEN: 'gh',
  }
  await write('pushed/agent/agent.ts', answering('pushed'))
  expect(await longhaul(['deploy', 'pushed', '--preview', '--report'], github)).toMatchObject({ exit: 0, err: '' })
  expect((await server.client.previews.list({ agent: 'pushed' })).items).toMatchObject([
    { name: 'feature-new-words', source: { branch: 'feature/New_Words', commit } },
  ])
  expect(told.pop()).toMatchObject({
    path: `/repos/acme/agents/statuses/${commit}`,
    headers: { authorization: 'Bearer gh' },
    body: { state: 'success', context: 'longhaul/pushed', target_url: `${server.url()}/chat?agent=pushed&preview=feature-new-words` },
  })
  const gitlab = {
    GITLAB_CI: 'true',
    CI_API_V4_URL: forgeUrl,
    CI_PROJECT_ID: '7',
    CI_COMMIT_SHA: commit,
    CI_COMMIT_REF_NAME: 'main',
    GITLAB_TOKEN: 'gl',
  }
  await write('pushed/agent/agent.ts', 'export default {')
  expect(await longhaul(['deploy', 'pushed', '--report'], gitlab)).toMatchObject({ exit: 2 })
  expect(told.pop()).toMatchObject({
    path: `/projects/7/statuses/${commit}`,
    headers: { 'private-token': 'gl' },
    body: { state: 'failed', name: 'longhaul/pushed' },
  })
  await write('pushed/agent/agent.ts', answering('pushed again'))
  const refused = await longhaul(['deploy', 'pushed', '--report'], { ...github, GITHUB_TOKEN: 'wrong' })
  expect(refused).toMatchObject({ exit: 0, err: expect.stringContaining('not taken by github: 401') })
  expect(await longhaul(['deploy', 'pushed', '--report'])).toMatchObject({ exit: 2, err: expect.stringMatching(/neither GitHub\s+Actions nor GitLab CI/) })
})

test('a build is known by what the runner says; branches become names', () => {
  expect(findBuild({})).toBeUndefined()
  expect(findBuild({ GITHUB_ACTIONS: 'true' })).toBeUndefined()
  expect(nameOfBranch('feature/New_words!')).toBe('feature-new-words')
  expect(nameOfBranch(`${'x'.repeat(62)}/y`)).toBe('x'.repeat(62))
})

test('workflow files name the agent and its folder, and nothing is written over', async () => {
  await write('agents/orders/agent/agent.ts', answering('x'))
  expect(await longhaul(['workflow', 'github', 'agents/orders/'])).toMatchObject({ exit: 0, out: expect.stringContaining('LONGHAUL_API_KEY') })
  const file = await readFile(join(folder, '.github/workflows/orders.yml'), 'utf8')
  expect(file).toContain('npx longhaul deploy agents/orders --agent orders --preview --report')
  expect(file).toMatch(/LONGHAUL_API_KEY: \$\{\{ secrets\.LONGHAUL_API_KEY \}\}/)
  expect(await longhaul(['workflow', 'github', 'agents/orders'])).toMatchObject({ exit: 6 })
  expect(await longhaul(['workflow', 'gitlab', 'agents/orders'])).toMatchObject({ exit: 0 })
  expect(await longhaul(['workflow', 'gitea', 'agents/orders'])).toMatchObject({ exit: 2 })
  expect(await longhaul(['workflow', 'gitlab', '../orders'])).toMatchObject({ exit: 2 })
})
