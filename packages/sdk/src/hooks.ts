/** Hooks of an agent: code of its folder that sees, and may change, what goes to the model and to tools and what comes back. */
import { type Asker, type Json, Message, ModelReply, hookPoints } from '@longhaul/protocol/agent'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { type Context, TerminalFailure } from './agent.ts'

export type HookPoint = (typeof hookPoints)[number]

/** What a hook is told of the run. */
export type HookAbout = Pick<Context, 'run' | 'dataDir'> & { asker: Asker }

type Content = ModelReply['content']
/** What is shown at each point, and what may come back in its place. Nothing that is returned changes nothing. */
type Points = {
  /** What the run was asked. */
  onStart: { given: { text: string }; change: { text: string } }
  /** What is added to the conversation before the model is asked: the request, results of tools, what was said meanwhile. */
  beforeModel: { given: { messages: Message[] }; change: { messages: Message[] } }
  /** The model's reply: texts and calls of tools. */
  afterModel: { given: { content: Content }; change: { content: Content } }
  /** A call, before its arguments are checked. `refuse` is what the model is told instead. */
  beforeTool: { given: { tool: string; input: Json }; change: { input: Json } | { refuse: string } }
  afterTool: { given: { tool: string; input: Json; output: Json; isError: boolean }; change: { output: Json } }
  /** The answer, before anybody has it. */
  onEnd: { given: { text: string }; change: { text: string } }
}
type Asked<Point extends HookPoint> = (
  given: Points[Point]['given'],
  about: HookAbout,
) => Promise<Points[Point]['change'] | void> | Points[Point]['change'] | void
export type AgentHook = { readonly kind: 'hook' } & { [Point in HookPoint]?: Asked<Point> }

/**
 * Defines a hook: the default export of `hooks/<name>.ts`. What it returns is recorded, and is not asked for again when the run is taken up after a crash.
 * It must do nothing outside: it is executed again when it was interrupted. One that throws is tried again, and then fails the run.
 */
export const hook = (points: Omit<AgentHook, 'kind'>): AgentHook => ({ kind: 'hook', ...points })

export type NamedHook = { name: string; hook: AgentHook }

export const HookShape = z
  .strictObject({
    kind: z.literal('hook'),
    ...Object.fromEntries(hookPoints.map((point) => [point, z.function().optional()])),
  })
  .refine((found) => hookPoints.some((point) => point in found), `has none of ${hookPoints.join(', ')}`)

const json = z.json() as z.ZodType<Json>
const changes: Record<HookPoint, z.ZodType<object>> = {
  onStart: z.strictObject({ text: z.string() }),
  beforeModel: z.strictObject({ messages: z.array(Message) }),
  afterModel: z.strictObject({ content: ModelReply.shape.content }),
  beforeTool: z.union([z.strictObject({ input: json }), z.strictObject({ refuse: z.string().min(1).max(10_000) })]),
  afterTool: z.strictObject({ output: json }),
  onEnd: z.strictObject({ text: z.string() }),
}

export type Hooks = {
  /** What is left of `given` when all hooks have seen it, each what the one before has made of it. `refuse` ends it. */
  ask<Point extends HookPoint>(
    ctx: Context,
    point: Point,
    given: Points[Point]['given'],
  ): Promise<Points[Point]['given'] & { refuse?: string; isChanged: boolean }>
  has(point: HookPoint): boolean
}

export function openHooks(hooks: readonly NamedHook[]): Hooks {
  return {
    has: (point) => hooks.some(({ hook }) => hook[point]),
    async ask(ctx, point, given) {
      let now: typeof given & { refuse?: string } = given
      for (const { name, hook } of hooks) {
        const asked = hook[point] as ((given: object, about: HookAbout) => unknown) | undefined // The types of `Points` are for authors.
        if (!asked || now.refuse !== undefined) continue
        const about = { run: ctx.run, asker: ctx.asker, dataDir: ctx.dataDir }
        const change = await ctx.step<Json>(
          `${point} ${name}`,
          // A copy: what is changed in place would be forgotten by the next one who replays.
          async () => checkedChange(name, point, now, await asked(structuredClone(now), about)),
          { effect: 'none' },
        )
        if (change !== null) now = { ...now, ...(change as object) } // Checked before it was recorded.
      }
      return { ...now, isChanged: now !== given }
    },
  }
}

/** What is recorded of a hook: what it changes, or null. */
function checkedChange(name: string, point: HookPoint, given: object, returned: unknown): Json {
  if (returned === undefined || returned === null) return null
  const parsed = changes[point].safeParse(returned)
  if (!parsed.success)
    throw new TerminalFailure(
      `The hook ${name} returned from ${point} what it may not: ${parsed.error.issues.map(({ path, message }) => [...path, message].join(': ')).join('; ')}`,
    )
  const change = JSON.parse(JSON.stringify(parsed.data)) as Record<string, Json>
  return Object.entries(change).every(([field, value]) => isDeepStrictEqual((given as Record<string, Json>)[field], value)) ? null : change
}
