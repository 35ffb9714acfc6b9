import { expect, test } from 'vitest'
import { startFakeApi } from './support/fake-api.ts'
import { command } from './support/run-command.ts'

const provider = {
  ...{ name: 'openai', secrets: ['openai-key', 'openai-key-2'], baseUrl: null, awsRegion: null },
  ...{ problem: null, setBy: 'ops', setAt: '2026-11-21T02:00:00.000Z' },
}

test('providers are listed, set and deleted', async () => {
  await using api = await startFakeApi({
    answers: { 'providers.list': { items: [provider] }, 'providers.set': provider, 'providers.delete': { ...provider, problem: 'No secret openai-key.' } },
  })
  expect((await command(api, ['providers', 'list'], { columns: 160 })).out).toMatch(/openai +openai-key, openai-key-2 .*ready/)
  expect((await command(api, ['providers', 'set', 'openai', '--secret', 'openai-key', '--secret', 'openai-key-2'])).out).toContain('keys of your own')
  expect(api.requests.at(-1)).toMatchObject({ method: 'POST', body: { name: 'openai', secrets: ['openai-key', 'openai-key-2'] } })
  await command(api, ['providers', 'set', 'bedrock', '--secret', 'aws', '--region', 'eu-central-1'])
  expect(api.requests.at(-1)?.body).toEqual({ name: 'bedrock', secrets: ['aws'], awsRegion: 'eu-central-1' })
  expect((await command(api, ['providers', 'set', 'openai'])).exit).not.toBe(0)
  expect((await command(api, ['providers', 'delete', 'openai'])).out).toContain('Not yet: No secret')
})
