/** Policies at the place where the server admits steps: a tool call before the worker may execute it, and what the server itself executes. */
import { type Asker, CallRequest, type Failure, type Json, type PolicyDecision, fulfils } from '@longhaul/protocol'
import type { Admission, Executor, Executors, StepContext, ToolCall, UnaskedStart } from '../engine/index.ts'
import type { Audit, Policies } from '../identity/index.ts'
import { type Log, StepFailure, sleep } from '../kernel/index.ts'

type Run = { id: string; tenantId: string; namespace: string; agent: string; version: string; asker: Asker }
export type GuardPorts = {
  policies: Pick<Policies, 'judge' | 'whyNot'>
  /** Asked for what policies let through: the limits of the tool. */
  admit?: (call: ToolCall) => Promise<Admission>
  audit: Pick<Audit, 'note'>
  log: Log
}

const retryMs = 500

export function guardSteps(ports: GuardPorts) {
  return {
    /** The failure to record for a call that is forbidden. While policies cannot be read the call waits: it is neither allowed nor lost. */
    async admitTool(call: ToolCall): Promise<Admission> {
      const { run, name, input } = call
      for (;;) {
        try {
          const { failure, policy } = await judgementOf(ports, { ...call, action: 'tools.call', resource: { type: 'Tool', id: name }, input })
          return failure ? { failure, policy } : { ...(await ports.admit?.(call)), policy }
        } catch (error) {
          ports.log.warn('a tool call waits, since policies cannot be read', { error, runId: run.id, tool: name })
          await sleep(retryMs)
        }
      }
    },
    /**
     * Policies on `runs.start` for a run that nobody asks for now. The principal is whoever it is in the name of: who set the schedule or the hook, or
     * asked for the run before it. No second factor was given. Why not, and that in the audit log; undefined when it may be started.
     */
    async whyNotStart({ tenantId, namespace, agent, input, asker, startedBy }: UnaskedStart): Promise<string | undefined> {
      const who = { id: asker.id, name: asker.name }
      const why = await ports.policies.whyNot(tenantId, {
        principal: { type: asker.isPerson ? 'Person' : 'Key', ...who },
        action: 'runs.start',
        resource: { type: 'Agent', id: agent },
        context: { namespace, isSteppedUp: false, startedBy, input: { agent, namespace, input, destinations: [] } },
      })
      if (why !== undefined) await ports.audit.note(tenantId, { who, action: 'runs.start', target: agent, outcome: 'refused', detail: { why, startedBy } })
      return why
    },
    /** Throws the failure of a step of this kind that is forbidden. For what is executed inside of another step. */
    async assertMay(kind: string, input: Json, { run, labels }: Pick<StepContext, 'run' | 'labels'>): Promise<void> {
      const { failure } = await judgementOf(ports, { run, labels, granted: undefined, ...askedOf(kind, input) })
      if (failure) throw new StepFailure(failure)
    },
    /** The same executors, each of which asks first. A `call` is a tool call like one that a worker executes; the others are about the kind itself. */
    guard(executors: Executors): Executors {
      return Object.fromEntries(
        Object.entries(executors).map(([kind, executor]): [string, Executor] => [
          kind,
          {
            ...executor,
            async execute(input, context) {
              const { run, labels, granted } = context
              const asked = askedOf(kind, input)
              const { failure, policy } = await judgementOf(ports, { run, labels, granted, ...asked })
              if (asked.action === 'tools.call' || policy.policies.length > 0) context.note({ policy })
              if (failure) throw new StepFailure(failure)
              return executor.execute(input, context)
            },
          },
        ]),
      )
    },
  }
}

type Asked = { action: string; resource: { type: string; id: string }; input: Json }

function askedOf(kind: string, input: Json): Asked {
  const call = kind === 'call' ? CallRequest.safeParse(input).data : undefined
  if (call) return { action: 'tools.call', resource: { type: 'Tool', id: call.tool }, input: call.input }
  return { action: `${kind}.call`, resource: { type: 'Step', id: kind }, input }
}

/** What is refused has failed; what people may allow says so, and is let through once those have whom its policies ask for. */
async function judgementOf(
  { policies, audit }: GuardPorts,
  { run, labels, granted, action, resource, input }: Asked & Pick<StepContext, 'labels' | 'granted'> & { run: Run },
): Promise<{ failure?: Failure; policy: PolicyDecision }> {
  const { asker, agent, namespace, version, id } = run
  const { regions, personalData } = asker.access
  const who = { id: asker.id, name: asker.name }
  const judged = await policies.judge(run.tenantId, {
    principal: { type: asker.isPerson ? 'Person' : 'Key', ...who },
    action,
    resource,
    context: {
      agent,
      version,
      namespace,
      run: id,
      asker: { ...who, personalData, ...(regions && { regions }) },
      input,
      hasReadOutside: labels.length > 0,
      outside: labels,
    },
  })
  const { refusal } = judged
  const rule = refusal?.rule
  const said = (outcome: PolicyDecision['outcome']): PolicyDecision => ({ outcome, policies: judged.policies, ...(rule && { rule }) })
  if (!refusal) return { policy: said(judged.isAsked ? 'silent' : 'none') }
  const { why, mayBeApproved } = refusal
  if (mayBeApproved && granted && (!rule || fulfils(granted, rule))) return { policy: said('approved') }
  const code = mayBeApproved && action === 'tools.call' ? 'needs_approval' : 'forbidden'
  await audit.note(run.tenantId, { who, action, target: resource.id, outcome: 'refused', detail: { runId: id, agent, why, code } })
  const message = mayBeApproved && granted ? `${why} It was allowed by fewer or by others than this asks for.` : why
  return { failure: { message, code, retryable: false }, policy: said('refused') }
}
