/** The step `invoke`: a run asks the program of its version, in the instance of its session. */
import { join } from 'node:path'
import {
  type AgentManifest,
  type Answer,
  InvokeRequest,
  type Json,
  ModelReply,
  PromptChoice,
  type Usage,
  attachmentPath,
  attachmentsOf,
} from '@longhaul/protocol'
import type { Executed, Executor, InnerApproval, StepContext } from '../../engine/index.ts'
import type { FaceCaller, Faces } from '../../gateway/index.ts'
import { AppError, type Log, StepFailure, after, toFailure } from '../../kernel/index.ts'
import { type Images, type OpenHosted, workspacePath } from '../../sandbox/index.ts'
import type { Tools } from '../../tools/index.ts'
import { sandboxIdOf } from '../executors.ts'
import type { Attachments } from '../attachments/attachments.ts'
import { type PlaceFiles, openPlacing } from '../attachments/place-files.ts'
import { readAnswer } from './answer.ts'
import { waitsForOf } from './asking.ts'
import { type RunInUse, openDoor } from './door.ts'
import { type Instance, told } from './instance.ts'
import { type Instances, openInstances, tokenPrefix } from './instances.ts'

export type CustomAgents = {
  invoke: Executor
  /** Whose token this is, for the length of one model call. Undefined when it is of no instance; throws while no run asks that one, and when a policy forbids the call. */
  authenticate(token: string): Promise<FaceCaller | undefined>
  stop(): Promise<void>
}

export type CustomAgentsOptions = {
  hosted: OpenHosted
  images: Pick<Images, 'open' | 'hold'>
  attachments: Pick<Attachments, 'usable' | 'read'>
  tools: Pick<Tools, 'egressOf'>
  /** Answers model calls. */
  faces: () => Pick<Faces, 'owns' | 'handle'>
  manifestOf(of: { tenantId: string; agent: string; version: string }): Promise<AgentManifest | undefined>
  folderOf(tenantId: string, agent: string, version: string): string
  /** Throws a `StepFailure` when a policy forbids the run a model call. */
  assertMayCallModel(context: StepContext, input: Json): Promise<void>
  log: Log
  version: string
  pingMs?: number
}

/** A model call is booked before the trace is told, and by then its program has the answer and may have given its own. */
const settleMsMax = 10_000

export const isInstanceToken = (secret: string): boolean => secret.startsWith(tokenPrefix)

export function openCustomAgents({
  hosted,
  images,
  attachments,
  tools,
  faces,
  manifestOf,
  folderOf,
  assertMayCallModel,
  log,
  version,
  pingMs,
}: CustomAgentsOptions): CustomAgents {
  const instances: Instances<RunInUse> = openInstances({ hosted, log, ...(pingMs !== undefined && { pingMs }) })

  /** Each instance has a workspace of its own. */
  const placings = new WeakMap<Instance, PlaceFiles>()

  /** What the program is asked, with the conversation's files in its workspace. */
  async function payloadFor(asked: Json, context: StepContext, instance: Instance): Promise<Json> {
    const place = placings.get(instance) ?? openPlacing(attachments)
    placings.set(instance, place)
    await place(context, instance.sandbox)
    const refs = attachmentsOf(asked)
    if (refs.length === 0) return payloadOf(asked)
    // Whether a run may read a file is the server's word, not its input's.
    const usable = new Map((await attachments.usable(context.run)).map((file) => [file.id, file]))
    const files = refs.map((ref) => {
      const file = usable.get(ref.id)
      return file ? { ...ref, path: `${workspacePath}/${attachmentPath(file)}` } : ref
    })
    return payloadOf({ message: null, ...(asked as Record<string, Json>), attachments: files }) // It has attachments.
  }

  async function execute(input: Json, context: StepContext): Promise<Executed> {
    const { input: asked, effect } = InvokeRequest.parse(input)
    const { run, signal } = context
    const { tenantId, agent } = run
    const manifest = await manifestOf(run)
    const declared = manifest?.custom
    if (!declared) throw new StepFailure({ message: `This version of ${agent} is no custom agent.`, code: 'invalid', retryable: false })
    const folder = folderOf(tenantId, agent, run.version)
    const { image: named } = declared
    const at = { folder, image: named ?? '' }
    const image = named === undefined ? undefined : { open: () => images.open(tenantId, at), hold: () => images.hold(tenantId, at) }
    const egress = await tools.egressOf({ tenantId, agent, runId: run.id }, declared.egress)
    const spent: RunInUse['spent'] = { model: 'none', usage: context.inside.usage() } // With what earlier attempts have spent.
    /** Not empty: it has been asked before, and has asked in its turn. */
    const known = context.inside.approvals.list()
    const wanted = {
      ...{
        tenantId,
        namespace: run.namespace,
        seed: join(folder, 'agent'),
        image,
        declared,
        egress,
        isOnce: run.sessionId === null,
        use: { context, manifest, spent },
      },
      doorFor: (entry: Parameters<typeof openDoor>[0]['entry']) => openDoor({ entry, faces: faces(), log: log.child({ tenantId, agent }), version }),
    }
    let isAsked = false
    try {
      const answer = await instances.use(sandboxIdOf(run), wanted, async (instance) => {
        instance.onOutput = (stream, text) => context.live({ type: 'output-delta', stream, text })
        const body = JSON.stringify(await payloadFor(asked, context, instance))
        const stop = limited(signal, declared.answerMsMax)
        try {
          isAsked = true
          const headers = { ...headersOf(context), ...(known.length > 0 && { [continuationHeader]: 'true' }) }
          const response = await instance.ask('/invocations', { method: 'POST', headers, body, signal: stop.signal })
          const said = await readAnswer(response, (text) => context.live({ type: 'text-delta', text }))
          return isWaiting(said.output, known, context.inside.approvals.list()) ? undefined : said
        } catch (error) {
          throw await explained(stop.signal.aborted && !signal.aborted ? stop.signal.reason : error, instance)
        } finally {
          stop.cancel()
        }
      })
      await context.inside.settled(settleMsMax)
      if (!answer) return { isPaused: true }
      const { text, output } = answer
      const { model, usage } = spent
      return { output: plain({ text, output, parts: [], model, usage } satisfies Answer) }
    } catch (error) {
      const failure = toFailure(error)
      // Once it was asked, it may have done what it was asked for.
      throw new StepFailure({ ...failure, retryable: failure.retryable && (!isAsked || effect !== 'write') }, error)
    }
  }

  return {
    invoke: {
      execute,
      mayWrite: (input) => InvokeRequest.safeParse(input).data?.effect !== 'none',
      effectOf: (input) => InvokeRequest.safeParse(input).data?.effect ?? 'write',
    },
    async authenticate(token) {
      const entry = instances.find(token)
      if (!entry) return undefined
      if (!entry.use) throw new AppError('forbidden', 'No run asks this program at the moment, so there is nobody whose model call this would be.')
      const { context, spent } = entry.use
      const { run, inside } = context
      await assertMayCallModel(context, null)
      const { id: keyId, name, access } = run.asker
      return {
        ...{ tenantId: run.tenantId, askerId: keyId, keyId, name, access, permissions: ['models:call'], namespaces: [run.namespace] },
        run: {
          ...{ id: run.id, agent: run.agent, version: run.version, session: run.sessionId ?? undefined },
          begin(model, request) {
            const step = inside.begin('model', model.slice(0, 128), request)
            return {
              failed: step.failed,
              completed(reply, usage) {
                step.completed(reply, usage)
                spent.model = ModelReply.safeParse(reply).data?.model ?? model
                spent.usage = sum(spent.usage, usage)
              },
            }
          },
        },
      }
    },
    stop: instances.stop,
  }
}

const continuationHeader = 'x-longhaul-continuation'

/** Whether it has ended only until somebody has decided. Each time something has to be new, or it would be asked for ever. */
function isWaiting(output: Json, before: readonly InnerApproval[], now: readonly InnerApproval[]): boolean {
  const id = waitsForOf(output)
  if (id === undefined || now.length === 0) return false // Whatever else it means by that.
  const refuse = (message: string) => new StepFailure({ message, code: 'bad_answer', retryable: false })
  if (!now.some((one) => one.id === id))
    throw refuse(`It answered that it waits for ${JSON.stringify(id.slice(0, 100))}, which is no approval that it has asked for.`)
  const known = before.find((one) => one.id === id)
  if (known && known.state !== 'pending')
    throw refuse(
      `It answered that it waits for the approval ${id}, which was ${known.state} before it was asked again: make the call again to have its result.`,
    )
  return true
}

/** Programs of this kind look for a text `prompt`. A message is one, also of a run that a tool server's prompt has begun, where `prompt` names that. */
function payloadOf(input: Json): Json {
  if (typeof input === 'string') return { prompt: input }
  if (typeof input !== 'object' || input === null || Array.isArray(input) || input['message'] === undefined) return input
  const { prompt, message } = input
  return prompt === undefined || PromptChoice.safeParse(prompt).success ? { ...input, prompt: message } : input
}

const headersOf = ({ run: { id, sessionId, asker } }: StepContext) => ({
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  'x-amzn-bedrock-agentcore-runtime-session-id': headerText(sessionId ?? id),
  'x-amzn-bedrock-agentcore-runtime-user-id': headerText(asker.id),
  'x-longhaul-run-id': id,
})

/** Sessions are named by whoever asks, and not every text can be a header. */
const headerText = (text: string): string => (/^[\x20-\x7e]*$/.test(text) ? text : encodeURIComponent(text))

/** The run's signal, and the time that it may take. */
function limited(signal: AbortSignal, ms: number) {
  const timeUp = new AbortController()
  const failure = new StepFailure({ message: `It took longer than ${ms / 1_000} s (answerMsMax).`, code: 'timeout', retryable: true })
  return { signal: AbortSignal.any([signal, timeUp.signal]), cancel: after(ms, () => timeUp.abort(failure)) }
}

/** A program that has ended in the middle is told as that, with what it said. */
async function explained(error: unknown, instance: Instance): Promise<StepFailure> {
  const why = await instance.whyEnded()
  if (why !== undefined) {
    const message = told(`The program ended while it was asked. ${why}`, instance)
    return new StepFailure({ message, code: 'instance_lost', retryable: true }, error)
  }
  const failure = toFailure(error)
  return new StepFailure({ ...failure, message: told(failure.message, instance) }, error)
}

/** A cost that is not known makes the sum unknown. */
const sum = (one: Usage, other: Usage): Usage => ({
  input: one.input + other.input,
  cachedInput: one.cachedInput + other.cachedInput,
  output: one.output + other.output,
  costUsd: one.costUsd === null || other.costUsd === null ? null : one.costUsd + other.costUsd,
})

/** Plain data of ours. */
const plain = (value: object): Json => JSON.parse(JSON.stringify(value)) as Json
