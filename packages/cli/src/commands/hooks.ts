import { type Hook, HookAction, type HookMapping, hookOutcomes, hookSchemes } from '@longhaul/protocol'
import type { HookOptions } from '../control-commands.ts'
import { exitCodes } from '../exit-codes.ts'
import { shortId } from '../ids.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { printFields, printList } from '../show/records.ts'
import { duration, moment } from '../show/values.ts'
import { oneOf } from './schedules.ts'

export async function setHook(invocation: Invocation, name: string, options: HookOptions): Promise<number> {
  const { agent, namespace, scheme, secret, event, tolerance } = options
  const client = await invocation.client()
  const hook = await client.hooks.set({
    name,
    agent,
    scheme: oneOf(hookSchemes, scheme, '--scheme'),
    secret,
    action: actionOf(options),
    toleranceMs: tolerance,
    ...(namespace !== undefined && { namespace }),
    ...(event.length > 0 && { events: event }),
  })
  return show(invocation, hook)
}

function actionOf({ signal, run, input, session }: HookOptions): HookAction {
  if ((signal === undefined) !== (run === undefined)) throw new Problem('invalid', 'A signal goes to a run.', 'Give both --signal and --run, or neither.')
  if (signal !== undefined && session !== undefined) throw new Problem('invalid', '--session is for hooks that start runs, and this one sends signals.')
  const taken = mappingOf(input)
  const action = signal === undefined ? { type: 'start', input: taken, session } : { type: 'signal', run, signal, payload: taken }
  const parsed = HookAction.safeParse(action)
  if (!parsed.success)
    throw new Problem('invalid', parsed.error.issues.map(({ message }) => message).join('; '), 'A place in the payload is written like /data/id.')
  return parsed.data
}

/** Nothing: the whole payload. One pointer: what is there. `name=/pointer`: a field of an object. */
function mappingOf(given: string[]): HookMapping {
  if (given.length === 0) return ''
  if (given.length === 1 && !given[0]?.includes('=')) return given[0] ?? ''
  return Object.fromEntries(
    given.map((field) => {
      const at = field.indexOf('=')
      if (at < 1)
        throw new Problem('invalid', `--input is "${field}".`, 'Several are fields of an object: --input title=/issue/title --input url=/issue/html_url')
      return [field.slice(0, at), field.slice(at + 1)]
    }),
  )
}

const mappingText = (mapping: HookMapping): string =>
  typeof mapping === 'string'
    ? mapping || 'the whole payload'
    : Object.entries(mapping)
        .map(([name, pointer]) => `${name}=${pointer}`)
        .join(', ')

function show(invocation: Invocation, hook: Hook): number {
  if (invocation.isJson) invocation.printJson(hook)
  else
    printFields(invocation, [
      ['hook', hook.name],
      ['address', hook.path],
      ['scheme', hook.scheme],
      ['secret', hook.secret],
      ['does', does(hook)],
      ['takes', mappingText(hook.action.type === 'start' ? hook.action.input : hook.action.payload)],
      ['session', hook.action.type === 'start' && hook.action.session],
      ['events', hook.events?.join(', ') ?? 'all'],
      ['namespace', hook.namespace],
      ['tolerance', duration(hook.toleranceMs)],
      ['paused', hook.isPaused && 'yes: what comes is refused'],
      ['as', hook.asker.name],
      ['from', hook.fromVersion !== null && `the folder of ${hook.agent}, version ${hook.fromVersion}`],
    ])
  return exitCodes.done
}

const does = ({ action, agent }: Hook): string =>
  action.type === 'start' ? `starts a run of ${agent}` : `sends the signal ${action.signal} to the run ${action.run} of ${agent}`

export async function listHooks(invocation: Invocation): Promise<number> {
  const page = await (await invocation.client()).hooks.list({ limit: 200 })
  if (invocation.isJson) invocation.printJson(page)
  else {
    const rows = page.items.map((hook) => [hook.name, hook.scheme, does(hook), hook.path, hook.isPaused ? 'paused' : ''])
    printList(
      invocation,
      [{ name: 'hook', isWhole: true }, { name: 'scheme', isWhole: true }, { name: 'does' }, { name: 'address', isWhole: true }, { name: 'state' }],
      rows,
      ['No hooks.', 'npx longhaul hooks set issues --agent triage --scheme github --secret github-webhook'],
    )
  }
  return exitCodes.done
}

export const getHook = async (invocation: Invocation, name: string): Promise<number> => show(invocation, await (await invocation.client()).hooks.get({ name }))

export async function listHookDeliveries(invocation: Invocation, name: string, { limit, outcome }: { limit: number; outcome?: string }): Promise<number> {
  const client = await invocation.client()
  const page = await client.hooks.deliveries({ name, limit, ...(outcome !== undefined && { outcome: oneOf(hookOutcomes, outcome, '--outcome') }) })
  if (invocation.isJson) invocation.printJson(page)
  else {
    const idOf = (id: string) => (invocation.terminal.isLive ? shortId(id) : id)
    const rows = page.items.map(({ receivedAt, outcome: became, reason, eventId, runId }) => [
      moment(receivedAt),
      became,
      reason ?? '',
      eventId ?? '',
      runId ? idOf(runId) : '',
    ])
    printList(
      invocation,
      [
        { name: 'received', isWhole: true },
        { name: 'outcome', isWhole: true },
        { name: 'why', isWhole: true },
        { name: 'event' },
        { name: 'run', isWhole: true },
      ],
      rows,
      [`Nothing has come to ${name} yet.`],
    )
  }
  return exitCodes.done
}

export async function changeHook(invocation: Invocation, verb: 'pause' | 'resume' | 'delete', name: string): Promise<number> {
  const hook = await (await invocation.client()).hooks[verb]({ name })
  if (verb !== 'delete') return show(invocation, hook)
  if (invocation.isJson) invocation.printJson(hook)
  else invocation.terminal.print(`  Hook ${hook.name} is deleted; its runs stay.`)
  return exitCodes.done
}
