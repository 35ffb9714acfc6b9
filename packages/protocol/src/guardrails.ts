import { z } from 'zod'
import { operation } from './operation.ts'
import { PageInput, pageOf } from './page.ts'
import { Etag, JsonValue, Name } from './values.ts'

/** What a person can be found by. */
export const personalKinds = ['email', 'phone', 'card', 'iban', 'national-id'] as const
export type PersonalKind = (typeof personalKinds)[number]

const on = z.enum(['request', 'answer', 'both']).default('request')
/** `block`: the call, or its answer, is refused. `mask`: what was found is replaced. `annotate`: it is only recorded. */
const action = z.enum(['block', 'mask', 'annotate'])
const verdict = z.enum(['block', 'annotate']).default('block')
/**
 * What becomes of a request with a file that cannot be looked into: pictures, audio, other bytes, a text of more than a megabyte, a PDF that is
 * encrypted, broken, too large or more than its text, what lies elsewhere. Absent: `annotate`.
 */
const unreadFiles = z.enum(['annotate', 'block']).optional()

export const Guard = z.discriminatedUnion('type', [
  /** Tokens of the request are estimated, four bytes each. `outputTokensMax` lowers what the call asks for; the others refuse it. */
  z.strictObject({
    type: z.literal('size'),
    inputBytesMax: z.number().int().min(1).optional(),
    inputTokensMax: z.number().int().min(1).optional(),
    outputTokensMax: z.number().int().min(1).optional(),
  }),
  /** What is masked in a request stands in its answer again as the caller wrote it. */
  z.strictObject({
    type: z.literal('personal'),
    kinds: z
      .array(z.enum(personalKinds))
      .min(1)
      .max(personalKinds.length)
      .default([...personalKinds]),
    on,
    action: action.default('mask'),
    unreadFiles,
  }),
  /** Keys and passwords in well-known forms. */
  z.strictObject({ type: z.literal('secrets'), on, action: action.default('block'), unreadFiles }),
  z.strictObject({
    type: z.literal('words'),
    words: z.array(z.string().trim().min(1).max(200)).min(1).max(1_000),
    on,
    action: action.default('block'),
    unreadFiles,
  }),
  /** Of answers that are no calls of tools. `repair`: one that is not of the schema is asked for once more. */
  z.strictObject({ type: z.literal('schema'), schema: JsonValue, repair: z.boolean().default(true), action: verdict }),
  /** A model that answers with `safe` or `unsafe`. What it does not judge is refused. */
  z.strictObject({
    type: z.literal('moderation'),
    model: z
      .string()
      .max(200)
      .regex(/^[^/\s]+\/\S+$/, 'must look like provider/model'),
    /** What it is told to look for. Absent: harm in general. */
    policy: z.string().min(1).max(10_000).optional(),
    on,
    action: verdict,
    unreadFiles,
  }),
])
export type Guard = z.infer<typeof Guard>

const guardrailFields = {
  name: Name,
  /** Only calls that ask for this route or model. Absent: all. */
  route: z.string().min(1).max(200).optional(),
  /** Only calls of this namespace. Calls over HTTP that belong to no run are of `default`. */
  namespace: Name.optional(),
  /** Only model steps of this agent. */
  agent: Name.optional(),
  guards: z.array(Guard).min(1).max(20),
}

/** Hooks before and after model calls. All that fit a call hold for it. */
export const Guardrail = z.object({ ...guardrailFields, updatedAt: z.iso.datetime(), etag: Etag.optional() })
export type Guardrail = z.infer<typeof Guardrail>

/** That a guard found something, without what it found. */
export const GuardDecision = z.object({
  id: z.uuid(),
  at: z.iso.datetime(),
  guardrail: z.string(),
  guard: z.string(),
  on: z.enum(['request', 'answer']),
  action: z.enum(['block', 'mask', 'annotate', 'repair']),
  /**
   * What kinds of things, and how many: `{"email": 2}`. Of files that were not looked into, by media type and why, their bytes, 0 where they
   * lie elsewhere: `{"unread:image/png": 48213}`, `{"unread:application/pdf, encrypted": 48213}`.
   */
  found: z.record(z.string(), z.number().int()),
  /** What was asked for. */
  model: z.string(),
  /** `x-request-id` of a call over HTTP. */
  requestId: z.string().nullable(),
  keyId: z.string().nullable(),
  agent: z.string().nullable(),
  runId: z.string().nullable(),
})
export type GuardDecision = z.infer<typeof GuardDecision>

export const listGuardrails = operation({
  id: 'guardrails.list',
  summary: 'All guardrails.',
  http: ['GET', '/v1/guardrails'],
  permission: 'routes:manage',
  input: z.strictObject({}),
  output: z.object({ items: z.array(Guardrail) }),
})
export const getGuardrail = operation({
  id: 'guardrails.get',
  summary: 'One guardrail.',
  http: ['GET', '/v1/guardrails/{name}'],
  permission: 'routes:manage',
  input: z.strictObject({ name: Name }),
  output: Guardrail,
})
export const setGuardrail = operation({
  id: 'guardrails.set',
  summary: 'Make a guardrail, or replace it. It counts within a second, on every server.',
  http: ['POST', '/v1/guardrails'],
  permission: 'routes:manage',
  input: z.strictObject(guardrailFields),
  output: Guardrail,
})
export const deleteGuardrail = operation({
  id: 'guardrails.delete',
  summary: 'Take a guardrail away. What it decided stays recorded.',
  http: ['DELETE', '/v1/guardrails/{name}'],
  permission: 'routes:manage',
  input: z.strictObject({ name: Name }),
  output: Guardrail,
})
export const listGuardDecisions = operation({
  id: 'guardrails.decisions',
  summary: 'What guards found in calls, latest first, without the text. Kept for 90 days.',
  http: ['GET', '/v1/guardrail-decisions'],
  permission: 'audit:read',
  input: z.strictObject({
    ...PageInput,
    guardrail: Name.optional(),
    action: z.enum(['block', 'mask', 'annotate', 'repair']).optional(),
    request: z.string().max(100).optional(),
    run: z.uuid().optional(),
  }),
  output: pageOf(GuardDecision),
})
export const guardrailOperations = [listGuardrails, getGuardrail, setGuardrail, deleteGuardrail, listGuardDecisions]
