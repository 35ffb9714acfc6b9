import { z } from 'zod'
import { Channel } from './channels.ts'
import { HookScheme, JsonPointer } from './hook-schemes.ts'
import { operation } from './operation.ts'
import { PageInput, pageOf } from './page.ts'
import { hookOutcomes } from './states.ts'
import { Asker, DeclaredName, Etag, Name } from './values.ts'

/** What is taken from the payload: one place, or an object of places. */
const Mapping = z.union([
  JsonPointer,
  z.record(z.string().min(1).max(128), JsonPointer).refine((fields) => Object.keys(fields).length <= 100, 'must have at most 100 fields'),
])
export type HookMapping = z.infer<typeof Mapping>
/** A text that begins with `/` is a place in the payload; any other is itself. */
const TextOrPointer = z
  .string()
  .min(1)
  .max(500)
  .refine((text) => !text.startsWith('/') || JsonPointer.safeParse(text).success, 'must be a text, or a JSON pointer such as /data/id')

/** `start`: a run of the hook's agent. `signal`: a signal to a run of that agent. */
export const HookAction = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('start'), input: Mapping.default(''), session: TextOrPointer.optional() }),
  z.strictObject({ type: z.literal('signal'), run: TextOrPointer, signal: TextOrPointer, payload: Mapping.default('') }),
])
export type HookAction = z.infer<typeof HookAction>

export const Hook = z.object({
  id: z.uuid(),
  name: z.string(),
  /** Where senders post to, on this server. */
  path: z.string(),
  agent: z.string(),
  namespace: z.string(),
  scheme: HookScheme,
  /** The stored secret, by name. */
  secret: z.string(),
  action: HookAction,
  /** Types of events that it takes; the others are answered and left. Null: all. */
  events: z.array(z.string()).nullable(),
  /** How far the time of a signature may be from now. Schemes without a time in the signature have none. */
  toleranceMs: z.number().int(),
  isPaused: z.boolean(),
  /** The agent's version whose folder declares it, as a channel. It comes and goes with what is live: nobody sets or deletes it, but it can be paused. Null: somebody has set it. */
  fromVersion: z.string().nullable(),
  /** What the folder declares of the channel. */
  channel: Channel.nullable(),
  /** Whose access its runs have: that of whoever set it, as it was then. */
  asker: Asker,
  setBy: z.string(),
  setAt: z.iso.datetime(),
  etag: Etag.optional(),
})
export type Hook = z.infer<typeof Hook>

/** What became of one request. Of what was refused nothing is kept but that, when and why. */
export const HookDelivery = z.object({
  id: z.uuid(),
  /** As the sender named the event; null where it could not be believed. */
  eventId: z.string().nullable(),
  outcome: z.enum(hookOutcomes),
  /** Why it was left or refused: `event_type`, `signature`, `timestamp`, `paused`, `rate`, `payload`, `mapping`, `secret`, or the error's code. */
  reason: z.string().nullable(),
  runId: z.uuid().nullable(),
  receivedAt: z.iso.datetime(),
})
export type HookDelivery = z.infer<typeof HookDelivery>

const HookRef = z.strictObject({ name: DeclaredName })

export const setHook = operation({
  id: 'hooks.set',
  summary: 'Make an address that takes webhooks, or replace the one of that name. It starts runs, or sends signals, with the caller’s data access.',
  http: ['POST', '/v1/hooks'],
  permission: 'hooks:manage',
  input: z.strictObject({
    name: Name,
    agent: Name,
    /** Absent: the key's first namespace, or `default`. */
    namespace: Name.optional(),
    scheme: HookScheme,
    secret: Name,
    action: HookAction.default({ type: 'start', input: '' }),
    events: z.array(z.string().min(1).max(128)).min(1).max(100).optional(),
    toleranceMs: z.number().int().min(10_000).max(3_600_000).default(300_000),
  }),
  output: Hook,
})
export const listHooks = operation({
  id: 'hooks.list',
  summary: 'All hooks by name.',
  http: ['GET', '/v1/hooks'],
  permission: 'runs:read',
  input: z.strictObject(PageInput),
  output: pageOf(Hook),
})
export const getHook = operation({
  id: 'hooks.get',
  summary: 'One hook.',
  http: ['GET', '/v1/hooks/{name}'],
  permission: 'runs:read',
  input: HookRef,
  output: Hook,
})
export const pauseHook = operation({
  id: 'hooks.pause',
  summary: 'Refuse what comes until it is resumed. Most senders try again for a while.',
  http: ['POST', '/v1/hooks/{name}/pause'],
  permission: 'hooks:manage',
  input: HookRef,
  output: Hook,
})
export const resumeHook = operation({
  id: 'hooks.resume',
  summary: 'Take again what comes.',
  http: ['POST', '/v1/hooks/{name}/resume'],
  permission: 'hooks:manage',
  input: HookRef,
  output: Hook,
})
export const deleteHook = operation({
  id: 'hooks.delete',
  summary: 'Delete a hook and its list of deliveries. Its runs stay.',
  http: ['DELETE', '/v1/hooks/{name}'],
  permission: 'hooks:manage',
  input: HookRef,
  output: Hook,
})
export const listHookDeliveries = operation({
  id: 'hooks.deliveries',
  summary: 'What became of the requests to a hook, newest first. Kept for 30 days.',
  http: ['GET', '/v1/hooks/{name}/deliveries'],
  permission: 'runs:read',
  input: z.strictObject({ name: DeclaredName, ...PageInput, outcome: z.enum(hookOutcomes).optional() }),
  output: pageOf(HookDelivery),
})

export const hookOperations = [setHook, listHooks, getHook, pauseHook, resumeHook, deleteHook, listHookDeliveries]
