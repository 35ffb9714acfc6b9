import { z } from 'zod'
import { budgetUnits } from './budgets.ts'
import { operation } from './operation.ts'
import { PageInput, pageOf } from './page.ts'

/** Buckets that do not overlap: their sum is the provider's own total. */
export const Tokens = z.object({
  input: z.number(),
  cacheRead: z.number(),
  cacheWrite: z.number(),
  cacheWriteLong: z.number(),
  inputAudio: z.number(),
  inputImage: z.number(),
  output: z.number(),
  reasoning: z.number(),
  outputAudio: z.number(),
  outputImage: z.number(),
})
export type Tokens = z.infer<typeof Tokens>

export const usageDimensions = ['namespace', 'agent', 'version', 'user', 'key', 'provider', 'model', 'run', 'step', 'session', 'tag'] as const
export type UsageDimension = (typeof usageDimensions)[number]
export const usageGrains = ['total', 'hour', 'day', 'week', 'month'] as const

/** One model call. `costUsd` is null where the model has no price. `isEstimated`: the provider did not say what it used. */
export const UsageCall = z.object({
  id: z.uuid(),
  at: z.iso.datetime(),
  namespace: z.string(),
  agent: z.string().nullable(),
  version: z.string().nullable(),
  runId: z.uuid().nullable(),
  op: z.string().nullable(),
  attempt: z.number().nullable(),
  session: z.string().nullable(),
  user: z.string().nullable(),
  keyId: z.string().nullable(),
  provider: z.string(),
  model: z.string(),
  priceId: z.string().nullable(),
  tokens: Tokens,
  costUsd: z.number().nullable(),
  isEstimated: z.boolean(),
  isFailed: z.boolean(),
  durationMs: z.number().nullable(),
  tags: z.record(z.string(), z.string()),
  /** Why it went to this model, where a route was asked for. `verdict`: whether the answer was what was asked for. */
  route: z
    .object({
      name: z.string(),
      why: z.string(),
      task: z.string().optional(),
      kind: z.string().optional(),
      difficulty: z.number().optional(),
      chance: z.number().optional(),
      verdict: z.enum(['fits', 'misfits']).optional(),
    })
    .nullable(),
  /** How good its answer was, from 0 to 1, by the word of whoever asked for it. */
  score: z.number().nullable(),
})
export type UsageCall = z.infer<typeof UsageCall>

/** What calls of one group used together. */
export const UsageGroup = z.object({
  /** Start of the hour, day, week or month; null for the total. */
  at: z.iso.datetime().nullable(),
  /** The group's value for each dimension asked for; null where calls have none. */
  by: z.record(z.string(), z.string().nullable()),
  calls: z.number(),
  failedCalls: z.number(),
  estimatedCalls: z.number(),
  /** Calls whose model has no price: `costUsd` leaves them out. */
  unpricedCalls: z.number(),
  tokens: Tokens,
  costUsd: z.number(),
})
export type UsageGroup = z.infer<typeof UsageGroup>

const text = z.string().min(1).max(200).optional()
const filters = {
  namespace: text,
  agent: text,
  version: text,
  user: text,
  key: text,
  provider: text,
  model: text,
  run: z.uuid().optional(),
  session: text,
  /** `name=value`. */
  tag: z.string().min(3).max(130).includes('=').optional(),
}
const range = {
  /** From this instant on. Absent: 30 days ago. */
  from: z.iso.datetime({ offset: true }).optional(),
  /** Up to this instant, without it. Absent: now. */
  to: z.iso.datetime({ offset: true }).optional(),
}
export const UsageFilters = z.strictObject(filters)
export type UsageFilters = z.infer<typeof UsageFilters>

export const summarizeUsage = operation({
  id: 'usage.summarize',
  summary: 'Calls, tokens and cost by any dimensions and grain of time, the dearest group first.',
  http: ['GET', '/v1/usage'],
  permission: 'money:read',
  input: z.strictObject({
    ...filters,
    ...range,
    /** Dimensions, separated by commas. With `tag`, the tag's name: `tag:team`. */
    by: z.string().max(200).default(''),
    grain: z.enum(usageGrains).default('total'),
    timeZone: z.string().min(1).max(64).default('UTC'),
    limit: z.coerce.number().int().min(1).max(1_000).default(100),
  }),
  output: z.object({ from: z.iso.datetime(), to: z.iso.datetime(), groups: z.array(UsageGroup), isCut: z.boolean() }),
})
export const listUsage = operation({
  id: 'usage.list',
  summary: 'Single model calls, newest first.',
  http: ['GET', '/v1/usage/calls'],
  permission: 'money:read',
  input: z.strictObject({ ...filters, ...PageInput }),
  output: pageOf(UsageCall),
})
export const scoreUsage = operation({
  id: 'usage.score',
  summary: 'Say how good an answer was, from 0 to 1: of one model call, which x-longhaul-call names, or of all calls of a run. Routes learn from it.',
  http: ['POST', '/v1/usage/scores'],
  permission: 'models:call',
  input: z
    .strictObject({ call: z.uuid().optional(), run: z.uuid().optional(), score: z.number().min(0).max(1) })
    .refine(({ call, run }) => (call === undefined) !== (run === undefined), 'Name a call or a run.'),
  output: z.object({ scored: z.number().int() }),
})

export const tryUsage = operation({
  id: 'usage.try',
  summary: 'What calls would have cost with another model, and which of them another limit would have refused.',
  http: ['GET', '/v1/usage/what-if'],
  permission: 'money:read',
  input: z
    .strictObject({
      ...filters,
      ...range,
      /** The same tokens at this model’s prices. */
      asModel: z.string().min(3).max(200).optional(),
      /** Those of each call’s day, or today’s. */
      prices: z.enum(['then', 'now']).default('then'),
      /** This much in each window, the calls taken in their order: the first that does not fit and all that cost something after it are refused. */
      asLimit: z.coerce.number().min(0).max(9e15).optional(),
      unit: z.enum(budgetUnits).default('usd'),
      per: z.enum(['hour', 'day', 'week', 'month']).default('month'),
      timeZone: z.string().min(1).max(64).default('UTC'),
    })
    .refine(({ asModel, asLimit }) => asModel !== undefined || asLimit !== undefined, 'Give a model (asModel), a limit (asLimit) or both.'),
  output: z.object({
    asModel: z
      .object({
        from: z.iso.datetime(),
        to: z.iso.datetime(),
        calls: z.number(),
        costUsd: z.number(),
        /** Calls whose own model has no price, which `costUsd` leaves out. */
        unpricedCalls: z.number(),
        asCostUsd: z.number(),
        /** Calls of days on which the other model had no price, which `asCostUsd` leaves out. */
        asUnpricedCalls: z.number(),
        /** By the model that was called, at most the 100 dearest. */
        models: z.array(z.object({ model: z.string(), calls: z.number(), costUsd: z.number(), asCostUsd: z.number() })),
      })
      .nullable(),
    asLimit: z
      .object({
        /** The first window’s start: windows are looked at from their beginning. */
        from: z.iso.datetime(),
        to: z.iso.datetime(),
        calls: z.number(),
        refusedCalls: z.number(),
        /** What the refused ones used. */
        refused: z.number(),
        /** Calls without a price, all of which a limit in dollars refuses. They are not among the refused. */
        unpricedCalls: z.number(),
        windows: z.array(
          z.object({
            at: z.iso.datetime(),
            calls: z.number(),
            /** Of the first call that would have been refused. */
            reachedAt: z.iso.datetime().nullable(),
            refusedCalls: z.number(),
            spent: z.number(),
            refused: z.number(),
          }),
        ),
      })
      .nullable(),
  }),
})

export const usageOperations = [summarizeUsage, listUsage, scoreUsage, tryUsage]
