import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startFakeApi, uuid } from './support/fake-api.ts'
import { command } from './support/run-command.ts'
import { tempFolder } from './support/temp-folder.ts'

const at = '2026-11-21T02:00:00.000Z'
const guardrail = {
  name: 'privacy',
  description: '',
  guards: [
    { type: 'personal', on: 'request', action: 'mask', kinds: ['email'] },
    { type: 'secrets', on: 'both', action: 'block' },
  ],
  updatedAt: at,
}
const decision = {
  id: uuid(1),
  at,
  guardrail: 'privacy',
  guard: 'personal',
  on: 'request',
  action: 'mask',
  found: { email: 2, phone: 1 },
  model: 'openai/gpt-5',
  namespace: 'default',
  agent: null,
  keyId: 'k1',
  requestId: uuid(2),
  runId: null,
}
const started = (next: string | null = null) =>
  startFakeApi({
    answers: {
      'guardrails.list': { items: [guardrail] },
      'guardrails.get': guardrail,
      'guardrails.set': guardrail,
      'guardrails.delete': guardrail,
      'guardrails.decisions': { items: [decision], next },
    },
  })

test('guardrails are listed, shown and deleted', async () => {
  await using api = await started()
  expect((await command(api, ['guardrails', 'list'], { columns: 160 })).out).toMatch(/privacy .*personal.*secrets/)
  expect((await command(api, ['guardrails', 'show', 'privacy'])).out).toContain('privacy')
  expect((await command(api, ['guardrails', 'list', '--json'])).json()).toEqual([{ items: [expect.objectContaining({ name: 'privacy' })] }])
  expect((await command(api, ['guardrails', 'delete', 'privacy'])).out).toContain('What it decided stays recorded')
  expect(api.requests.at(-1)).toMatchObject({ method: 'DELETE', path: '/v1/guardrails/privacy' })
})

test('each option becomes its guard, with the side that was said, and only what was said is sent', async () => {
  await using api = await started()
  const set = async (...options: string[]) => {
    expect(await command(api, ['guardrails', 'set', 'g', ...options])).toMatchObject({ exit: 0 })
    return api.requests.at(-1)?.body
  }
  expect(await set('--personal', 'mask', '--secrets', 'block:both')).toEqual({
    name: 'g',
    guards: [
      { type: 'secrets', action: 'block', on: 'both' }, // First what blocks.
      { type: 'personal', action: 'mask' },
    ],
  })
  expect(await set('--route', 'faq', '--word', 'Heron', '--word', 'Crane', '--words', 'block:answer')).toEqual({
    name: 'g',
    route: 'faq',
    guards: [{ type: 'words', words: ['Heron', 'Crane'], action: 'block', on: 'answer' }],
  })
  expect(await set('--moderation', 'compatible/llama-guard-4:both', '--policy', 'No advice.')).toMatchObject({
    guards: [{ type: 'moderation', model: 'compatible/llama-guard-4', on: 'both', policy: 'No advice.' }],
  })
  expect(await set('--personal', 'mask', '--schema', '{}', '--moderation', 'openai/judge', '--unread-files', 'block')).toMatchObject({
    guards: [
      { type: 'personal', unreadFiles: 'block' },
      { type: 'schema', schema: {} },
      { type: 'moderation', unreadFiles: 'block' },
    ],
  })
  expect(await set('--schema', '{"type":"object"}', '--no-repair')).toMatchObject({ guards: [{ type: 'schema', schema: { type: 'object' }, repair: false }] })
  expect(await set('--output-tokens-max', '400')).toMatchObject({ guards: [{ type: 'size', outputTokensMax: 400 }] })
  const file = join(await tempFolder(), 'guards.json')
  await writeFile(file, '[{"type":"secrets"}]')
  expect(await set('--file', file)).toEqual({ name: 'g', guards: [{ type: 'secrets' }] })
})

test('files that were not looked into are told with their type and size, and by show what becomes of them', async () => {
  const unread = { ...decision, action: 'annotate', found: { 'unread:application/pdf': 48_213, 'unread:image/*': 0 } }
  const guard = { type: 'secrets', on: 'both', action: 'block', unreadFiles: 'block' }
  await using api = await startFakeApi({
    answers: { 'guardrails.get': { ...guardrail, guards: [guard] }, 'guardrails.decisions': { items: [unread], next: null } },
  })
  expect((await command(api, ['guardrails', 'decisions'], { columns: 240 })).out).toContain(
    'not looked into: application/pdf (48 kB), not looked into: image/*',
  )
  expect((await command(api, ['guardrails', 'show', 'privacy'])).out).toContain('secrets: block (both), and files that it cannot look into')
})

test('what is none is told with the remedy, and nothing is sent', async () => {
  await using api = await started()
  for (const [options, text] of [
    [[], 'A guardrail needs a guard'],
    [['--personal', 'hide'], 'hide'],
    [['--personal', 'mask:everywhere'], 'everywhere'],
    [['--schema', '{not json'], 'JSON'],
    [['--output-tokens-max', '0'], 'output-tokens-max'],
    [['--personal', 'mask', '--unread-files', 'mask'], 'unread-files'],
    [['--output-tokens-max', '9', '--unread-files', 'block'], 'No guard here looks into files'],
  ] as const)
    expect(await command(api, ['guardrails', 'set', 'g', ...options])).toMatchObject({ exit: 2, err: expect.stringContaining(text) })
  expect(api.requests).toEqual([])
})

test('decisions are listed by what was asked for, without any text, page by page', async () => {
  await using api = await started('more')
  const { out } = await command(api, ['guardrails', 'decisions', '--action', 'mask', '--limit', '1', '--request', uuid(2)], { columns: 200 })
  expect(out).toMatch(/privacy +request personal +mask +2 email, 1 phone +openai\/gpt-5/)
  expect(out).toContain('--cursor more')
  expect(api.requests.at(-1)?.path).toBe(`/v1/guardrail-decisions?limit=1&action=mask&request=${uuid(2)}`)
  expect(await command(api, ['guardrails', 'decisions', '--action', 'eat'])).toMatchObject({ exit: 2 })
})
