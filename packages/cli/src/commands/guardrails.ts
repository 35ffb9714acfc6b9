import type { GuardDecision, Guardrail, Json } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { readJson } from '../read-json.ts'
import { printFields, printList } from '../show/records.ts'
import { ago, bytes } from '../show/values.ts'

export type SetOptions = {
  route?: string
  namespace?: string
  agent?: string
  personal?: string
  secrets?: string
  words?: string
  word?: string[]
  schema?: string
  repair: boolean
  moderation?: string
  policy?: string
  unreadFiles?: 'annotate' | 'block'
  inputBytesMax?: number
  inputTokensMax?: number
  outputTokensMax?: number
  file?: string
}

export async function listGuardrails(invocation: Invocation): Promise<number> {
  const list = await (await invocation.client()).guardrails.list()
  if (invocation.isJson) invocation.printJson(list)
  else {
    const rows = list.items.map((guardrail) => [guardrail.name, scopeOf(guardrail), guardrail.guards.map(describe).join(', '), ago(guardrail.updatedAt)])
    printList(invocation, [{ name: 'guardrail', isWhole: true }, { name: 'for' }, { name: 'guards' }, { name: 'changed' }], rows, [
      'No guardrails. Make one: npx longhaul guardrails set privacy --personal mask --secrets block',
    ])
  }
  return exitCodes.done
}

export async function showGuardrail(invocation: Invocation, name: string): Promise<number> {
  return show(invocation, await (await invocation.client()).guardrails.get({ name }))
}

export async function setGuardrail(invocation: Invocation, name: string, options: SetOptions): Promise<number> {
  const guards = options.file === undefined ? await guardsOf(invocation, options) : await readJson(invocation, `@${options.file}`)
  if (!Array.isArray(guards) || guards.length === 0)
    throw new Problem('invalid', 'A guardrail needs a guard.', 'Name one, such as --personal mask, or give a file with a list of guards: --file guards.json.')
  const { route, namespace, agent } = options
  const scope = { ...(route === undefined ? {} : { route }), ...(namespace === undefined ? {} : { namespace }), ...(agent === undefined ? {} : { agent }) }
  const client = await invocation.client()
  // The server checks each field.
  return show(invocation, await client.guardrails.set({ name, ...scope, guards: guards as Guardrail['guards'] }))
}

export async function deleteGuardrail(invocation: Invocation, name: string): Promise<number> {
  const guardrail = await (await invocation.client()).guardrails.delete({ name })
  if (invocation.isJson) invocation.printJson(guardrail)
  else invocation.terminal.print(`  Guardrail ${guardrail.name} is deleted. What it decided stays recorded.`)
  return exitCodes.done
}

export type DecisionOptions = { guardrail?: string; action?: GuardDecision['action']; request?: string; run?: string; limit: number; cursor?: string }

export async function listDecisions(invocation: Invocation, { guardrail, action, request, run, limit, cursor }: DecisionOptions): Promise<number> {
  const page = await (
    await invocation.client()
  ).guardrails.decisions({
    limit,
    ...(cursor === undefined ? {} : { cursor }),
    ...(guardrail === undefined ? {} : { guardrail }),
    ...(action === undefined ? {} : { action }),
    ...(request === undefined ? {} : { request }),
    ...(run === undefined ? {} : { run }),
  })
  if (invocation.isJson) invocation.printJson(page)
  else {
    const rows = page.items.map(({ at, guardrail: name, guard, on, action: done, found, model, requestId, runId }) => [
      ago(at),
      name,
      `${on} ${guard}`,
      done,
      Object.entries(found)
        .map(([kind, count]) => toldOf(kind, count))
        .join(', '),
      model,
      runId ?? requestId ?? '',
    ])
    printList(
      invocation,
      [
        { name: 'when' },
        { name: 'guardrail' },
        { name: 'guard' },
        { name: 'did' },
        { name: 'found' },
        { name: 'model' },
        { name: 'run or request', isWhole: true },
      ],
      rows,
      ['No guard has found anything yet.'],
    )
    if (page.next !== null) invocation.terminal.print(`  There are more: --cursor ${page.next}`, '')
  }
  return exitCodes.done
}

/** Of files that were not looked into their bytes are counted; those that lie elsewhere have none. */
function toldOf(kind: string, count: number): string {
  if (!kind.startsWith('unread:')) return `${count} ${kind}`
  return `not looked into: ${kind.slice('unread:'.length)}${count > 0 ? ` (${bytes(count)})` : ''}`
}

function show(invocation: Invocation, guardrail: Guardrail): number {
  if (invocation.isJson) invocation.printJson(guardrail)
  else {
    printFields(invocation, [
      ['guardrail', guardrail.name],
      ['for', scopeOf(guardrail)],
      ...guardrail.guards.map((guard, i): [string, string] => [`guard ${i + 1}`, describe(guard)]),
      ['changed', ago(guardrail.updatedAt)],
    ])
  }
  return exitCodes.done
}

const scopeOf = ({ route, namespace, agent }: Guardrail): string =>
  [route && `route ${route}`, namespace && `namespace ${namespace}`, agent && `agent ${agent}`].filter(Boolean).join(', ') || 'all calls'

function describe(guard: Guardrail['guards'][number]): string {
  switch (guard.type) {
    case 'size':
      return `size: ${[
        guard.inputBytesMax !== undefined && `${guard.inputBytesMax} bytes in`,
        guard.inputTokensMax !== undefined && `${guard.inputTokensMax} tokens in`,
        guard.outputTokensMax !== undefined && `${guard.outputTokensMax} tokens out`,
      ]
        .filter(Boolean)
        .join(', ')}`
    case 'schema':
      return `schema: ${guard.repair ? 'asked once more, then ' : ''}${guard.action}`
    case 'moderation':
      return `moderation by ${guard.model}: ${verdictOf(guard)}`
    case 'words':
      return `${guard.words.length} words: ${verdictOf(guard)}`
    case 'personal':
      return `personal (${guard.kinds.join(', ')}): ${verdictOf(guard)}`
    case 'secrets':
      return `secrets: ${verdictOf(guard)}`
  }
}

const verdictOf = ({ action, on, unreadFiles }: Extract<Guardrail['guards'][number], { on: string }>): string =>
  `${action} (${on})${unreadFiles === 'block' ? ', and files that it cannot look into' : ''}`

const sides = ['request', 'answer', 'both']
const actions = ['block', 'mask', 'annotate']

/** `mask`, `block:both`. */
function actionOf(option: string, text: string): { action: string; on?: string } {
  const [action = '', on, ...more] = text.split(':')
  if (!actions.includes(action) || (on !== undefined && !sides.includes(on)) || more.length > 0)
    throw new Problem(
      'invalid',
      `--${option} ${text} is no action.`,
      `Say ${actions.join(', ')}, with :answer or :both if not only of the request: --${option} block:both.`,
    )
  return { action, ...(on === undefined ? {} : { on }) }
}

async function guardsOf(invocation: Invocation, options: SetOptions): Promise<Json[]> {
  const { personal, secrets, words, word = [], schema, repair, moderation, policy, unreadFiles, inputBytesMax, inputTokensMax, outputTokensMax } = options
  const guards: Json[] = []
  const files = unreadFiles === undefined ? {} : { unreadFiles }
  const sizes = { ...(inputBytesMax && { inputBytesMax }), ...(inputTokensMax && { inputTokensMax }), ...(outputTokensMax && { outputTokensMax }) }
  if (Object.keys(sizes).length > 0) guards.push({ type: 'size', ...sizes })
  if (secrets !== undefined) guards.push({ type: 'secrets', ...actionOf('secrets', secrets), ...files })
  if (personal !== undefined) guards.push({ type: 'personal', ...actionOf('personal', personal), ...files })
  if (words !== undefined || word.length > 0) guards.push({ type: 'words', words: word, ...actionOf('words', words ?? 'block'), ...files })
  if (schema !== undefined) guards.push({ type: 'schema', schema: await readJson(invocation, schema), repair })
  if (moderation !== undefined) {
    const [model = '', on] = moderation.split(/:(?=(?:request|answer|both)$)/)
    guards.push({ type: 'moderation', model, ...(on === undefined ? {} : { on }), ...(policy === undefined ? {} : { policy }), ...files })
  }
  if (unreadFiles !== undefined && guards.every((guard) => !(typeof guard === 'object' && guard !== null && 'unreadFiles' in guard)))
    throw new Problem('invalid', 'No guard here looks into files.', 'Name one beside --unread-files: --personal, --secrets, --word or --moderation.')
  return guards
}
