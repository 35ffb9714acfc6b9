import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { printList } from '../show/records.ts'
import { ago, counted } from '../show/values.ts'

export async function listQueues(invocation: Invocation): Promise<number> {
  const page = await (await invocation.client()).queues.list({ limit: 200 })
  if (invocation.isJson) invocation.printJson(page)
  else {
    const rows = page.items.map(({ name, readyCount, takenCount, oldestAt }) => [name, readyCount, takenCount, ago(oldestAt)])
    printList(
      invocation,
      [
        { name: 'queue', isWhole: true },
        { name: 'ready', isNumber: true },
        { name: 'taken', isNumber: true },
        { name: 'oldest', isWhole: true },
      ],
      rows,
      ['No queue has messages.', 'A run puts one there when it ends: npx longhaul runs start analyst --queue results'],
    )
  }
  return exitCodes.done
}

export type ReceiveOptions = { max: number; visibility: number; wait: number; acknowledge?: boolean }

/** Each message on a line of its own, as JSON, for a program that reads on. */
export async function receiveMessages(invocation: Invocation, queue: string, { max, visibility, wait, acknowledge }: ReceiveOptions): Promise<number> {
  const client = await invocation.client()
  const { items } = await client.queues.receive({ queue, max, visibilityMs: visibility, waitMs: wait })
  for (const item of items) invocation.terminal.print(JSON.stringify(item))
  // Printed first: what is lost on the way is given out again.
  if (acknowledge && items.length > 0) await client.queues.acknowledge({ queue, receipts: items.map(({ receipt }) => receipt) })
  return exitCodes.done
}

export async function acknowledgeMessages(invocation: Invocation, queue: string, receipts: string[]): Promise<number> {
  const settled = await (await invocation.client()).queues.acknowledge({ queue, receipts })
  if (invocation.isJson) invocation.printJson(settled)
  else
    invocation.terminal.print(
      `  ${counted(settled.done.length, 'message')} acknowledged.`,
      ...settled.left.map((receipt) => `  left ${receipt}: its time was up and it was given to another, or it has been acknowledged.`),
    )
  return settled.left.length > 0 ? exitCodes.failed : exitCodes.done
}
