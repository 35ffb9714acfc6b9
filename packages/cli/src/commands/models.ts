import type { Model } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { printList } from '../show/records.ts'

export async function listModels(invocation: Invocation, search: string, limit: number): Promise<number> {
  const list = await (await invocation.client()).models.list({ limit, ...(search !== '' && { search }) })
  if (invocation.isJson) invocation.printJson(list)
  else {
    printModels(invocation, list.items)
    invocation.terminal.print(
      `  Dollars for a million tokens, read on ${list.readOn}.${list.isCut ? ' There are more: --limit, or a part of the name.' : ''}`,
      '',
    )
  }
  return exitCodes.done
}

type SetOptions = Record<string, string> & { contextMax?: number; outputMax?: number }

export async function setModel(invocation: Invocation, model: string, options: SetOptions): Promise<number> {
  const { contextMax, outputMax } = options
  const [input, output] = [dollars('input', options['input']), dollars('output', options['output'])]
  const [cacheRead, cacheWrite] = [dollars('cache-read', options['cacheRead']), dollars('cache-write', options['cacheWrite'])]
  if ((input === undefined) !== (output === undefined)) throw new Problem('invalid', 'A price has two sides.', 'Give both --input and --output.')
  const price =
    input !== undefined && output !== undefined
      ? { input, output, ...(cacheRead !== undefined && { cacheRead }), ...(cacheWrite !== undefined && { cacheWrite }) }
      : undefined
  if (!price && contextMax === undefined && outputMax === undefined)
    throw new Problem('invalid', 'Nothing was said of the model.', 'Give --input and --output, --context-max or --output-max.')
  const set = await (
    await invocation.client()
  ).models.set({
    model,
    ...(options['since'] !== undefined && { since: options['since'] }),
    ...(price && { price }),
    ...(contextMax !== undefined && { contextMax }),
    ...(outputMax !== undefined && { outputMax }),
  })
  if (invocation.isJson) invocation.printJson(set)
  else printModels(invocation, [set])
  return exitCodes.done
}

export async function unsetModel(invocation: Invocation, model: string, since: string | undefined): Promise<number> {
  const unset = await (await invocation.client()).models.unset({ model, ...(since !== undefined && { since }) })
  if (invocation.isJson) invocation.printJson(unset)
  else invocation.terminal.print(`  ${model} is again as the program knows it.`)
  return exitCodes.done
}

function printModels(invocation: Invocation, models: readonly Model[]): void {
  printList(
    invocation,
    [
      { name: 'model', isWhole: true },
      { name: 'input', isNumber: true },
      { name: 'cached', isNumber: true },
      { name: 'output', isNumber: true },
      { name: 'context', isNumber: true },
      { name: 'answer', isNumber: true },
      { name: 'price from' },
    ],
    models.map(({ model, price, contextMax, outputMax, source }) => [
      model,
      price?.input ?? null,
      price?.cacheRead ?? null,
      price?.output ?? null,
      contextMax ?? null,
      outputMax ?? null,
      source ?? 'nobody: refused where a budget counts money',
    ]),
    ['No such model. npx longhaul models set provider/model --input … --output …'],
  )
}

function dollars(option: string, given: string | undefined): number | undefined {
  if (given === undefined) return undefined
  const value = Number(given)
  if (given.trim() === '' || !(value >= 0)) throw new Problem('invalid', `--${option} must be dollars for a million tokens, not "${given}".`, 'Such as 1.25.')
  return value
}
