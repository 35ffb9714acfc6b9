/**
 * Whether a request comes from who knows the secret, by the rules of those who send it. Pure. Only what a signature covers is believed: an
 * event's id from a header that nobody signed could be made up for a replay, so there the body itself tells one event from another.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { HookScheme } from '@longhaul/protocol'
import { signStandard } from '../outcomes/index.ts'

export type Signed = {
  headers: Pick<Headers, 'get'>
  body: Uint8Array
  secret: string
  nowMs: number
  toleranceMs: number
}

/** `eventId` is the sender's word for it, `key` tells repetitions. `keyFrom`: where in the payload the key is instead, since the signature covers it. */
export type Verdict =
  | { isSigned: true; eventId: string; key: string; keyFrom?: string; type: string | undefined }
  | { isSigned: false; reason: 'signature' | 'timestamp' }

const refused = { isSigned: false, reason: 'signature' } as const

export function verify(scheme: HookScheme, signed: Signed): Verdict {
  return signed.secret === '' ? refused : schemes[scheme](signed)
}

const schemes: Record<HookScheme, (signed: Signed) => Verdict> = {
  /** https://www.standardwebhooks.com */
  standard({ headers, body, secret, nowMs, toleranceMs }) {
    const id = headers.get('webhook-id') ?? ''
    const seconds = headers.get('webhook-timestamp') ?? ''
    if (id === '' || !isSeconds(seconds)) return refused
    const expected = signStandard(secret, id, Number(seconds), body)
    if (!someSame((headers.get('webhook-signature') ?? '').split(' '), expected)) return refused
    return onTime(seconds, nowMs, toleranceMs, { eventId: id, key: id, type: undefined })
  },
  /** https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries */
  github({ headers, body, secret }) {
    if (!isSame(headers.get('x-hub-signature-256') ?? '', `sha256=${hmac(secret, body).toString('hex')}`)) return refused
    const key = digest(body)
    return { isSigned: true, eventId: headers.get('x-github-delivery') ?? key, key, type: headers.get('x-github-event') ?? undefined }
  },
  /** https://docs.gitlab.com/user/project/integrations/webhooks/ A token and no signature: whoever has it may say anything. */
  gitlab({ headers, body, secret }) {
    if (!isSame(headers.get('x-gitlab-token') ?? '', secret)) return refused
    const key = headers.get('idempotency-key') ?? digest(body)
    return { isSigned: true, eventId: key, key, type: headers.get('x-gitlab-event') ?? undefined }
  },
  /** https://docs.slack.dev/authentication/verifying-requests-from-slack */
  slack({ headers, body, secret, nowMs, toleranceMs }) {
    const seconds = headers.get('x-slack-request-timestamp') ?? ''
    if (!isSeconds(seconds)) return refused
    if (!isSame(headers.get('x-slack-signature') ?? '', `v0=${hmac(secret, `v0:${seconds}:`, body).toString('hex')}`)) return refused
    const key = digest(body)
    return onTime(seconds, nowMs, toleranceMs, { eventId: key, key, keyFrom: 'event_id', type: undefined })
  },
  /** https://docs.stripe.com/webhooks#verify-manually Signatures of other versions than v1 do not count. */
  stripe({ headers, body, secret, nowMs, toleranceMs }) {
    const parts = (headers.get('stripe-signature') ?? '').split(',').map((part) => part.trim().split('='))
    const seconds = parts.find(([name]) => name === 't')?.[1] ?? ''
    if (!isSeconds(seconds)) return refused
    const given = parts.flatMap(([name, value]) => (name === 'v1' && value !== undefined ? [value] : []))
    if (!someSame(given, hmac(secret, `${seconds}.`, body).toString('hex'))) return refused
    const key = digest(body)
    return onTime(seconds, nowMs, toleranceMs, { eventId: key, key, keyFrom: 'id', type: undefined })
  },
  /** HMAC-SHA256 over the body in `x-signature`, in hexadecimal digits or base64, with or without `sha256=` before it. */
  hmac({ headers, body, secret }) {
    const given = (headers.get('x-signature') ?? headers.get('x-signature-256') ?? '').replace(/^sha256=/, '')
    const expected = hmac(secret, body)
    if (!isSame(given.toLowerCase(), expected.toString('hex')) && !isSame(given, expected.toString('base64'))) return refused
    const key = digest(body)
    return { isSigned: true, eventId: key, key, type: undefined }
  },
}

function onTime(seconds: string, nowMs: number, toleranceMs: number, signed: Omit<Extract<Verdict, { isSigned: true }>, 'isSigned'>): Verdict {
  return Math.abs(nowMs - Number(seconds) * 1_000) <= toleranceMs ? { isSigned: true, ...signed } : { isSigned: false, reason: 'timestamp' }
}

const isSeconds = (text: string): boolean => /^\d{1,12}$/.test(text)
const digest = (body: Uint8Array): string => createHash('sha256').update(body).digest('hex')
const hmac = (secret: string, ...parts: (string | Uint8Array)[]): Buffer => parts.reduce((sum, part) => sum.update(part), createHmac('sha256', secret)).digest()

/** Takes the same time wherever they differ. Digests, since what is compared must be of one length. */
const isSame = (given: string, expected: string): boolean =>
  timingSafeEqual(createHash('sha256').update(given).digest(), createHash('sha256').update(expected).digest())

/** As many as a sender has keys while it changes them; more are no sender's. */
const signaturesMax = 10
const someSame = (given: string[], expected: string): boolean => given.slice(0, signaturesMax).some((one) => isSame(one, expected))
