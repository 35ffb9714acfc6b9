/** How long a prompt is, before it is sent. Anthropic is asked itself; for everybody else it is estimated, and said to be. */
import { callTargets } from '../failover.ts'
import type { Asked, Models } from '../models.ts'
import type { Client } from './client.ts'
import { type FaceCall, bytesFor, inputTokensMax } from './face-call.ts'
import { relayWhole } from './relay.ts'
import { nothingSpent, tokensOfBytes } from './spent.ts'

type Counting = { call: FaceCall; asked: Asked; client: Client; models: Models; headers: Record<string, string>; requestId: string }

/** Costs nothing, so nothing is reserved. */
export async function countTokens({ call, asked, client, models, headers, requestId }: Counting): Promise<void> {
  const targets = (await models.resolve(call.model, asked)).targets.slice(0, 1)
  const base = targets[0]?.provider.name === 'anthropic' ? targets[0].provider.speaks.messages : undefined
  const common = { 'x-request-id': requestId, 'x-content-type-options': 'nosniff' }
  if (base === undefined) {
    const text = JSON.stringify({ input_tokens: inputTokensMax(call) ?? tokensOfBytes(call.body.bytes.length) })
    client.begin(200, { 'content-type': 'application/json', 'content-length': text.length, 'x-longhaul-estimated': 'true', ...common })
    return client.end(text)
  }
  await callTargets(targets, {
    health: models.health,
    name: call.model,
    mayRepeat: true,
    signal: client.signal,
    attempt: ({ target, key }) =>
      relayWhole({
        ...{ face: call.face, target, key, headers, client, base, path: '/messages/count_tokens', body: bytesFor(call, target, undefined) },
        ...{ answerHeaders: common, limits: models.limits, answerBytesMax: models.answerBytesMax, spent: nothingSpent() },
        read: (bytes) => bytes,
      }),
  })
}
