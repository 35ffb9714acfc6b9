import { expect, test } from 'vitest'
import { startFakeProvider } from '../../test/support/fake-provider.ts'
import { silentLog } from '../kernel/index.ts'
import { openEmbedder } from './embed.ts'
import { openModels } from './models.ts'
import { offlinePlanner } from './offline/index.ts'
import type { Call, Money, Outcome, Reservation } from './money/index.ts'

const signal = new AbortController().signal

function bedFor(compatibleUrl: string, isAdmitted = true) {
  const booked: { call: Call; outcome?: Outcome }[] = []
  const money: Pick<Money, 'admit' | 'settle'> = {
    async admit(call) {
      booked.push({ call })
      const refusal = { reason: 'exhausted', message: 'The budget is used up.', budget: {}, refillsAt: null } as never // Nobody looks at the rest of it here.
      const callId = String(booked.length - 1)
      return isAdmitted ? { isAdmitted, callId, reservation: { id: callId } as Reservation, outputTokensMax: undefined } : { isAdmitted, refusal }
    },
    settle: async ({ id }, outcome) => {
      Object.assign(booked[Number(id)]!, { outcome })
      return null
    },
  }
  const models = openModels({
    keys: {},
    compatible: { baseUrl: compatibleUrl, model: 'embed', apiKey: 'hush' },
    offline: offlinePlanner(),
    timeoutMs: 5_000,
    log: silentLog,
  })
  const embed = openEmbedder({ models, money })
  return { booked, embed: (texts: string[], model = 'compatible/embed') => embed(model, texts, { account: { tenantId: 'acme', agent: 'helper' }, signal }) }
}

test('texts become vectors in their order; who asked is booked with what it used', async () => {
  const data = [
    { index: 1, embedding: [0, 1] },
    { index: 0, embedding: [1, 0] },
  ]
  await using provider = await startFakeProvider(() => ({ json: { data, usage: { prompt_tokens: 7, total_tokens: 7 } } }))
  const bed = bedFor(provider.compatibleUrl)
  expect(await bed.embed(['a', 'b'])).toEqual([
    [1, 0],
    [0, 1],
  ])
  expect(provider.requests[0]?.body).toMatchObject({ model: 'embed', input: ['a', 'b'] })
  expect(provider.requests[0]?.headers.authorization).toBe('Bearer hush')
  expect(bed.booked).toMatchObject([
    { call: { tenantId: 'acme', agent: 'helper', model: 'compatible/embed' }, outcome: { type: 'used', tokens: { input: 7 } } },
  ])
})

test('an answer that is none, a budget that is used up and a model without embeddings are failures', async () => {
  await using provider = await startFakeProvider(() => ({ json: { data: [] } }))
  await expect(bedFor(provider.compatibleUrl).embed(['a'])).rejects.toMatchObject({ failure: { code: 'bad_reply' } })
  const asked = provider.requests.length
  await expect(bedFor(provider.compatibleUrl, false).embed(['a'])).rejects.toMatchObject({ failure: { code: 'over_budget' } })
  expect(provider.requests.length).toBe(asked)
  await expect(bedFor(provider.compatibleUrl).embed(['a'], 'offline/planner')).rejects.toMatchObject({ failure: { code: 'unsupported' } })
})
