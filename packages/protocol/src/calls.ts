import { z } from 'zod'
import { operation } from './operation.ts'
import { PageInput, pageOf } from './page.ts'
import { JsonValue, Name } from './values.ts'

/** What is kept of a prompt and its answer. `masked`: whoever reads them sees personal data and secrets hidden. `none`: neither is kept. */
export const callPrivacies = ['full', 'masked', 'none'] as const
export type CallPrivacy = (typeof callPrivacies)[number]
export const callOutcomes = ['answered', 'failed', 'aborted'] as const
export type CallOutcome = (typeof callOutcomes)[number]
const privacy = z.enum(callPrivacies)

/** One model call that was made outside of runs. Calls in runs are in the run's own record. */
export const LoggedCall = z.object({
  /** `x-request-id` of its answer. */
  id: z.uuid(),
  /** When it was asked. */
  at: z.iso.datetime(),
  namespace: z.string(),
  keyId: z.string(),
  /** The person for whom it was made, in the caller's words. */
  user: z.string().nullable(),
  session: z.string().nullable(),
  /** The language that it was asked in. */
  face: z.string(),
  isStream: z.boolean(),
  /** As it was asked for: a model or a route. */
  model: z.string(),
  /** Which model answered, or failed as the last one; null when none was asked. */
  answeredBy: z.string().nullable(),
  outcome: z.enum(callOutcomes),
  /** As the caller saw it. One that was cut off after it had begun has 200. */
  status: z.number().int(),
  /** What went wrong; null when nothing did. */
  code: z.string().nullable(),
  /** It was answered without a model, by an answer that was kept. */
  isKeptAnswer: z.boolean(),
  /** Of all attempts together. */
  inputTokens: z.number().int(),
  outputTokens: z.number().int(),
  /** The provider of an attempt did not say what it used: what was booked for that, tokens and cost, is an estimate. */
  isEstimated: z.boolean(),
  /** Of all attempts together; null where a price is not known. */
  costUsd: z.number().nullable(),
  durationMs: z.number().int(),
  tags: z.record(z.string(), z.string()),
  privacy,
})
export type LoggedCall = z.infer<typeof LoggedCall>

const texts = {
  /** The request as the caller sent it; null when nothing of it is kept. */
  request: JsonValue.nullable(),
  /** What the model said: `content` and `finishReason`; null when nothing came or nothing is kept. */
  answer: JsonValue.nullable(),
  /** Parts that were too large are missing. */
  isCut: z.boolean(),
}

/** `isMasked`: personal data and secrets in the texts are hidden. */
export const LoggedCallWithTexts = LoggedCall.extend({ ...texts, isMasked: z.boolean() })
export type LoggedCallWithTexts = z.infer<typeof LoggedCallWithTexts>

const text = z.string().min(1).max(200).optional()

export const listCalls = operation({
  id: 'calls.list',
  summary: 'Model calls outside of runs, newest first, without what was said.',
  http: ['GET', '/v1/calls'],
  permission: 'calls:read',
  input: z.strictObject({
    ...PageInput,
    /** From this instant on. */
    from: z.iso.datetime({ offset: true }).optional(),
    /** Up to this instant, without it. */
    to: z.iso.datetime({ offset: true }).optional(),
    namespace: Name.optional(),
    /** As it was asked for, or the one that answered. */
    model: text,
    key: text,
    user: text,
    session: text,
    outcome: z.enum(callOutcomes).optional(),
    status: z.coerce.number().int().min(100).max(599).optional(),
    /** Only calls that cost at least so much. */
    costUsdMin: z.coerce.number().min(0).max(1_000_000).optional(),
    costUsdMax: z.coerce.number().min(0).max(1_000_000).optional(),
  }),
  output: pageOf(LoggedCall),
})
export const getCall = operation({
  id: 'calls.get',
  summary: 'One model call with what was said, as far as the privacy that it was made under shows it.',
  http: ['GET', '/v1/calls/{callId}'],
  permission: 'calls:read',
  input: z.strictObject({ callId: z.uuid() }),
  output: LoggedCallWithTexts,
})
export const revealCall = operation({
  id: 'calls.reveal',
  summary: 'The same with what is masked. That it was read is in the audit log before it is.',
  http: ['POST', '/v1/calls/{callId}/reveal'],
  permission: 'calls:reveal',
  input: z.strictObject({ callId: z.uuid(), reason: z.string().trim().min(1).max(500) }),
  output: LoggedCallWithTexts,
})

/** A namespace that is null: all namespaces that have no rule of their own. */
export const CallPrivacyRule = z.object({
  namespace: z.string().nullable(),
  privacy,
  /** How long calls are kept. */
  days: z.number().int(),
  setBy: z.string(),
  setAt: z.iso.datetime(),
})
export type CallPrivacyRule = z.infer<typeof CallPrivacyRule>

export const listCallPrivacy = operation({
  id: 'callPrivacy.list',
  summary: 'What is kept of prompts and answers of calls outside of runs, by namespace. Where nothing is said: masked, for 30 days.',
  http: ['GET', '/v1/call-privacy'],
  permission: 'namespaces:read',
  input: z.strictObject(PageInput),
  output: pageOf(CallPrivacyRule),
})
export const setCallPrivacy = operation({
  id: 'callPrivacy.set',
  summary:
    'Say what is kept of calls outside of runs, and how long. It counts for calls from then on; those that were made before keep what they were made under.',
  http: ['POST', '/v1/call-privacy'],
  permission: 'namespaces:manage',
  input: z.strictObject({ namespace: Name.optional(), privacy, days: z.number().int().min(1).max(3_650).default(30) }),
  output: CallPrivacyRule,
})

export const callOperations = [listCalls, getCall, revealCall, listCallPrivacy, setCallPrivacy]
