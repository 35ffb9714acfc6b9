import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { printFields, printList } from '../show/records.ts'
import { ago, counted, moment } from '../show/values.ts'

export async function listMemories(invocation: Invocation, { agent, limit, cursor }: { agent?: string; limit: number; cursor?: string }): Promise<number> {
  const page = await (await invocation.client()).memory.list({ limit, ...(agent !== undefined && { agent }), ...(cursor !== undefined && { cursor }) })
  if (invocation.isJson) invocation.printJson(page)
  else {
    const rows = page.items.map(({ id, agent, kind, name, text, labels, createdAt }) => [
      id,
      agent,
      name ?? kind,
      ago(createdAt),
      labels.length > 0 ? 'yes' : '',
      text,
    ])
    const columns = [{ name: 'memory', isWhole: true }, { name: 'agent' }, { name: 'name' }, { name: 'kept' }, { name: 'from outside' }, { name: 'text' }]
    printList(invocation, columns, rows, ['No agent remembers anything of you.'])
    if (page.next !== null) invocation.terminal.print(`  More: npx longhaul memory list --cursor ${page.next}`)
  }
  return exitCodes.done
}

export async function getMemory(invocation: Invocation, memoryId: string): Promise<number> {
  const memory = await (await invocation.client()).memory.get({ memoryId })
  if (invocation.isJson) invocation.printJson(memory)
  else
    printFields(invocation, [
      ['memory', memory.id],
      ['agent', memory.agent],
      ['kind', memory.name === null ? memory.kind : `${memory.kind}, ${memory.name}`],
      ['text', memory.text],
      ['from outside', memory.labels.join(', ') || null],
      ['kept', `${moment(memory.createdAt)}, by run ${memory.runId}`],
      ['last recalled', memory.recalledAt === null ? 'never' : moment(memory.recalledAt)],
    ])
  return exitCodes.done
}

export async function eraseMemory(
  invocation: Invocation,
  memoryId: string | undefined,
  { all, agent, subject }: { all?: true; agent?: string; subject?: string },
): Promise<number> {
  if ((memoryId === undefined) === (all === undefined))
    throw new Problem('invalid', 'Name one memory, or say --all.', 'npx longhaul memory list shows what there is.')
  if (memoryId !== undefined && (agent !== undefined || subject !== undefined)) throw new Problem('invalid', '--agent and --subject go with --all.')
  const { memory } = await invocation.client()
  if (memoryId !== undefined) {
    const erased = await memory.erase({ memoryId })
    if (invocation.isJson) invocation.printJson(erased)
    else invocation.terminal.print(`  Memory ${erased.id} is erased.`)
    return exitCodes.done
  }
  const { count } = await memory.eraseAll({ ...(agent !== undefined && { agent }), ...(subject !== undefined && { subject }) })
  if (invocation.isJson) invocation.printJson({ count })
  else invocation.terminal.print(`  ${counted(count, 'memory', 'memories')} erased.`)
  return exitCodes.done
}
