import { APICallError } from '@ai-sdk/provider'
import { Failure } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { scriptedModel } from '../../test/support/fake-gateway.ts'
import { toStepFailure } from './failures.ts'
import { type CallContext, configureProviders } from './providers.ts'
import { parseRetryAfter } from './refusals.ts'

const key = 'Abc+/=def#?&ghi'
const context: CallContext = { model: 'openai/gpt-5', provider: configureProviders({ keys: { openai: key }, offline: scriptedModel([]) }).get('openai')! }
const refusal = (message: string, more: Partial<ConstructorParameters<typeof APICallError>[0]> = {}) =>
  new APICallError({
    url: 'https://x',
    requestBodyValues: {},
    message,
    statusCode: 400,
    data: { error: { message, type: 'invalid_request_error', code: null } },
    ...more,
  })

const now = new Date('2026-11-15T12:00:00Z')
test.each([
  [{ 'retry-after': '20' }, 20_000],
  [{ 'retry-after': '0.5' }, 500],
  [{ 'retry-after-ms': '1500', 'retry-after': '9' }, 1_500],
  [{ 'retry-after': 'Sun, 15 Nov 2026 12:00:30 GMT' }, 30_000],
  [{ 'retry-after': '3600' }, 3_600_000],
  [{ 'retry-after': '3601' }, undefined],
  [{ 'retry-after': '1000000000' }, undefined],
  [{ 'retry-after': '-5' }, undefined],
  [{ 'retry-after': '0' }, undefined],
  [{ 'retry-after': 'Sun, 15 Nov 2020 12:00:30 GMT' }, undefined],
  [{ 'retry-after': 'soon' }, undefined],
  [{ 'retry-after': '' }, undefined],
  [{}, undefined],
])('%o asks for a pause of %s ms', (headers: Record<string, string>, ms) => expect(parseRetryAfter(headers, now)).toBe(ms))

test.each([key, encodeURIComponent(key), Buffer.from(key).toString('base64'), 'sk-proj-abcdefgh12345', 'sk-ant-****wxyz', 'AIzaSyA-1234567890'])(
  'a key in what the provider says is taken out: %s',
  (secret) => {
    const { message } = toStepFailure(refusal(`Bad value ${secret} there`), context).failure
    expect(message).toBe('OpenAI refused the request for openai/gpt-5: "Bad value [key] there".')
  },
)

test('what the provider says is one line, storable and bounded', () => {
  const { failure } = toStepFailure(refusal(`a\n\n\u0000\u001b[31mb\ud800 ${'x'.repeat(100_000)}`), context)
  expect(Failure.parse(failure).message).toMatch(/: "a . ?\[31mb� x+…"\.$/)
  expect(failure.message.length).toBeLessThan(700)
})

test.each([[undefined], [null], ['text'], [7], [{}], [[]], [new Error('x')], [Object.assign(new Error('loop'), { cause: undefined })]])(
  '%o becomes a failure that may be retried',
  (thrown) => {
    expect(Failure.parse(toStepFailure(thrown, context).failure).retryable).toBe(true)
  },
)

test('an error that causes itself ends', () => {
  const error = new Error('a')
  error.cause = error
  expect(toStepFailure(error, context).failure.code).toBe('bad_reply')
})

test('a certificate that is not trusted is said, and not retried', () => {
  const error = new APICallError({
    url: 'https://x',
    requestBodyValues: {},
    message: 'Cannot connect',
    cause: Object.assign(new Error('x'), { code: 'SELF_SIGNED_CERT_IN_CHAIN' }),
  })
  expect(toStepFailure(error, context).failure).toMatchObject({ code: 'untrusted', retryable: false, message: expect.stringContaining('NODE_EXTRA_CA_CERTS') })
})
