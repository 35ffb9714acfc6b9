import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { printList } from '../show/records.ts'
import { printable } from '../show/text.ts'

type Which = { agent: string; connection: string; prompt: string | undefined }

/** All that the server offers, or one as a run would get it. */
export async function showPrompts(invocation: Invocation, { agent, connection, prompt: name }: Which, { argument }: { argument?: string[] }): Promise<number> {
  const client = await invocation.client()
  if (name !== undefined) {
    const prompt = await client.prompts.get({ agent, connection, name, arguments: argumentsFrom(argument) })
    if (invocation.isJson) invocation.printJson(prompt)
    else invocation.terminal.print(...printable(prompt.text).split('\n'))
    return exitCodes.done
  }
  const page = await client.prompts.list({ agent, connection })
  if (invocation.isJson) invocation.printJson(page)
  else {
    const rows = page.items.map((prompt) => [
      prompt.name,
      prompt.arguments.map((one) => (one.isRequired ? one.name : `[${one.name}]`)).join(' '),
      prompt.description ?? prompt.title ?? '',
    ])
    printList(invocation, [{ name: 'prompt', isWhole: true }, { name: 'arguments' }, { name: 'about' }], rows, [`${connection} offers no prompts.`])
  }
  return exitCodes.done
}

/** `connection/name`, and `name=value` for each argument. */
export function promptFrom(given: string, argument: string[] | undefined): { connection: string; name: string; arguments: Record<string, string> } {
  const [, connection = '', name = ''] = /^([^/]+)\/(.+)$/s.exec(given) ?? []
  if (!name) throw new Problem('invalid', `${JSON.stringify(given)} names no prompt.`, 'Give it as connection/name, such as --prompt crm/summary')
  return { connection, name, arguments: argumentsFrom(argument) }
}

const argumentsFrom = (given: string[] = []): Record<string, string> =>
  Object.fromEntries(
    given.map((one) => {
      const [, name = '', value = ''] = /^([^=]+)=(.*)$/s.exec(one) ?? []
      if (!name) throw new Problem('invalid', `${JSON.stringify(one)} is no argument.`, 'Give it as name=value')
      return [name, value]
    }),
  )
