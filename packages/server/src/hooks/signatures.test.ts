import { createHmac } from 'node:crypto'
import type { HookScheme } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { type Verdict, verify } from './signatures.ts'

/** Secrets, bodies and signatures as the senders' own documentation gives them, each with the time of its signature. */
const vectors: Record<'standard' | 'github' | 'slack', { secret: string; body: string; atS: number; headers: Record<string, string> }> = {
  standard: {
    secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    body: '{"test": 2432232314}',
    atS: 1614265330,
    headers: {
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    },
  },
  github: {
    secret: "It's a Secret to Everybody",
    body: 'Hello, World!',
    atS: 0,
    headers: { 'x-hub-signature-256': 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17' },
  },
  slack: {
    secret: '8f742231b10e8888abcd99yyyzzz85a5',
    body: 'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c',
    atS: 1531420618,
    headers: {
      'x-slack-request-timestamp': '1531420618',
      'x-slack-signature': 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
    },
  },
}

type Request = { secret: string; body: string; atS: number; headers: Record<string, string> }
const verdict = (scheme: HookScheme, { secret, body, atS, headers }: Request, laterS = 0): Verdict =>
  verify(scheme, { secret, body: Buffer.from(body), headers: new Headers(headers), nowMs: (atS + laterS) * 1_000, toleranceMs: 300_000 })

const hex = (secret: string, text: string): string => createHmac('sha256', secret).update(text).digest('hex')
const stripeBody = '{"id":"evt_1","type":"charge.succeeded"}'
/** Where no documentation has a whole example: by its words, with another's arithmetic. */
const made: Record<'stripe' | 'gitlab' | 'hmac', Request> = {
  stripe: {
    secret: 'whsec_test',
    body: stripeBody,
    atS: 1_492_774_577,
    headers: {
      'stripe-signature': `t=1492774577,v1=${hex('whsec_old', `1492774577.${stripeBody}`)},v1=${hex('whsec_test', `1492774577.${stripeBody}`)},v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39`,
    },
  },
  gitlab: { secret: 'a token', body: '{}', atS: 0, headers: { 'x-gitlab-token': 'a token', 'x-gitlab-event': 'Push Hook', 'idempotency-key': 'once' } },
  // RFC 4231, case 2.
  hmac: {
    secret: 'Jefe',
    body: 'what do ya want for nothing?',
    atS: 0,
    headers: { 'x-signature': 'sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843' },
  },
}
const all = Object.entries({ ...vectors, ...made }) as [HookScheme, Request][]

test.each(all)('%s: what its sender signed is believed', (scheme, request) => {
  expect(verdict(scheme, request)).toMatchObject({ isSigned: true })
})

test.each(all)('%s: another body, another secret, no secret, no headers and half a signature are not', (scheme, request) => {
  const wrong = { isSigned: false, reason: 'signature' }
  if (scheme !== 'gitlab') expect(verdict(scheme, { ...request, body: `${request.body} ` })).toEqual(wrong)
  expect(verdict(scheme, { ...request, secret: `${request.secret}eHh4` })).toEqual(wrong)
  expect(verdict(scheme, { ...request, secret: '' })).toEqual(wrong)
  expect(verdict(scheme, { ...request, headers: {} })).toEqual(wrong)
  for (const [name, value] of Object.entries(request.headers)) {
    if (!/signature|token/.test(name)) continue
    expect(verdict(scheme, { ...request, headers: { ...request.headers, [name]: value.slice(0, value.length / 2) } })).toEqual(wrong)
    expect(verdict(scheme, { ...request, headers: { ...request.headers, [name]: '' } })).toEqual(wrong)
  }
})

test.each(all.filter(([scheme]) => ['standard', 'slack', 'stripe'].includes(scheme)))(
  '%s: a signature is worth something for the tolerance alone',
  (scheme, request) => {
    for (const laterS of [-300, 300]) expect(verdict(scheme, request, laterS)).toMatchObject({ isSigned: true })
    for (const laterS of [-301, 301, 1e9]) expect(verdict(scheme, request, laterS)).toEqual({ isSigned: false, reason: 'timestamp' })
  },
)

test('a time that the signature does not cover does not make it new', () => {
  const later = String(vectors.slack.atS + 9_000)
  expect(verdict('slack', { ...vectors.slack, headers: { ...vectors.slack.headers, 'x-slack-request-timestamp': later } }, 9_000)).toMatchObject({
    isSigned: false,
  })
  expect(verdict('standard', { ...vectors.standard, headers: { ...vectors.standard.headers, 'webhook-timestamp': '1614274330' } }, 9_000)).toMatchObject({
    isSigned: false,
  })
  const stripe = made.stripe.headers['stripe-signature']?.replace('t=1492774577', 't=1492783577') ?? ''
  expect(verdict('stripe', { ...made.stripe, headers: { 'stripe-signature': stripe } }, 9_000)).toMatchObject({ isSigned: false })
  for (const seconds of ['', 'NaN', '1e9', '-1', ' 1531420618'])
    expect(
      verdict('stripe', { ...made.stripe, headers: { 'stripe-signature': `t=${seconds},v1=${hex('whsec_test', `${seconds}.${stripeBody}`)}` } }),
    ).toMatchObject({ isSigned: false })
})

test('one of several signatures is enough, other versions count for nothing, and there are not many', () => {
  const { headers } = vectors.standard
  const right = headers['webhook-signature'] ?? ''
  const given = (signature: string) => verdict('standard', { ...vectors.standard, headers: { ...headers, 'webhook-signature': signature } }).isSigned
  expect(given(`v1,AAAA v1a,BBBB ${right}`)).toBe(true)
  expect(given(right.replace('v1,', 'v2,'))).toBe(false)
  expect(given(`${'v1,AAAA '.repeat(10)}${right}`)).toBe(false)
  expect(
    verdict('stripe', { ...made.stripe, headers: { 'stripe-signature': `t=1492774577,v0=${hex('whsec_test', `1492774577.${stripeBody}`)}` } }).isSigned,
  ).toBe(false)
})

test('plain HMAC is taken in hexadecimal digits and in base64', () => {
  const digest = createHmac('sha256', 'Jefe').update(made.hmac.body).digest()
  for (const signature of [digest.toString('hex'), digest.toString('hex').toUpperCase(), digest.toString('base64'), `sha256=${digest.toString('base64')}`])
    expect(verdict('hmac', { ...made.hmac, headers: { 'x-signature': signature } })).toMatchObject({ isSigned: true })
})

test('what nobody signed does not make a repetition new', () => {
  const key = (delivery: string) => {
    const found = verdict('github', { ...vectors.github, headers: { ...vectors.github.headers, 'x-github-delivery': delivery } })
    return found.isSigned ? found : expect.fail('not signed')
  }
  expect(key('one').eventId).not.toBe(key('two').eventId)
  expect(key('one').key).toBe(key('two').key)
})
