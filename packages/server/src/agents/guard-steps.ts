/** Policies at the place where the server admits steps: a tool call before the worker may execute it, and what the server itself executes. */
import type { Asker, Failure, Json } from '@longhaul/protocol'
import type { Executor, Executors, ToolCall } from '../engine/index.ts'
import type { Audit, Policies } from '../identity/index.ts'
import { type Log, StepFailure, sleep } from '../kernel/index.ts'

type Run = { id: string; tenantId: string; namespace: string; agent: string; version: string; asker: Asker }
export type GuardPorts = { policies: Pick<Policies, 'whyNot'>; audit: Pick<Audit, 'note'>; log: Log }

const retryMs = 500

export function guardSteps(ports: GuardPorts) {
  return {
    /** The failure to record for a call that is forbidden. While policies cannot be read the call waits: it is neither allowed nor lost. */
    async admitTool({ run, name, input }: ToolCall): Promise<Failure | undefined> {
      for (;;) {
        try {
          const why = await whyNot(ports, run, 'tools.call', { type: 'Tool', id: name }, input)
          return why === undefined ? undefined : forbidden(why)
        } catch (error) {
          ports.log.warn('a tool call waits, since policies cannot be read', { error, runId: run.id, tool: name })
          await sleep(retryMs)
        }
      }
    },
    /** The same executors, each of which asks first. `model` is about the provider's model, the others about the kind itself. */
    guard(executors: Executors): Executors {
      return Object.fromEntries(
        Object.entries(executors).map(([kind, executor]): [string, Executor] => [
          kind,
          {
            ...executor,
            async execute(input, context) {
              const why = await whyNot(ports, context.run, `${kind}.call`, { type: 'Step', id: kind }, input)
              if (why !== undefined) throw new StepFailure(forbidden(why))
              return executor.execute(input, context)
            },
          },
        ]),
      )
    },
  }
}

const forbidden = (message: string): Failure => ({ message, code: 'forbidden', retryable: false })

async function whyNot(
  { policies, audit }: GuardPorts,
  run: Run,
  action: string,
  resource: { type: string; id: string },
  input: Json,
): Promise<string | undefined> {
  const { asker, agent, namespace, version, id } = run
  const { regions, personalData } = asker.access
  const why = await policies.whyNot(run.tenantId, {
    principal: { id: asker.id, name: asker.name },
    action,
    resource,
    context: { agent, version, namespace, run: id, asker: { id: asker.id, name: asker.name, personalData, ...(regions && { regions }) }, input },
  })
  if (why !== undefined)
    await audit.note(run.tenantId, {
      who: { id: asker.id, name: asker.name },
      action,
      target: resource.id,
      outcome: 'refused',
      detail: { runId: id, agent, why },
    })
  return why
}
