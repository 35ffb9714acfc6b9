import type { CatalogueChange, CatalogueVersion, Model } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { readJson } from '../read-json.ts'
import { printList } from '../show/records.ts'
import { ago } from '../show/values.ts'

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

export async function refreshModels(invocation: Invocation, { from, apply }: { from: string; apply: boolean }): Promise<number> {
  const client = await invocation.client()
  const isAddress = /^https?:\/\//.test(from)
  const read = await client.models.refresh(isAddress ? { url: from } : { catalogue: await readJson(invocation, from === '-' ? from : `@${from}`) })
  const applied = apply && read.changeCount > 0 ? await client.models.apply({ versionId: read.id }) : undefined
  if (invocation.isJson) invocation.printJson(applied ? { ...read, applied } : read)
  else {
    const columns = [{ name: 'model', isWhole: true }, { name: 'what' }, { name: 'input' }, { name: 'output' }, { name: 'note' }]
    printList(invocation, columns, read.changes.map(changeRow), ['It says nothing that is not known already.'])
    if (read.changeCount > read.changes.length) invocation.terminal.print(`  and ${read.changeCount - read.changes.length} more`, '')
    const what = `${read.modelCount} models of ${read.readOn}, ${read.changeCount} changes.`
    invocation.terminal.print(`  ${what} ${applied ? 'It counts from now on.' : `Nothing counts yet: npx longhaul models apply ${read.id}`}`, '')
  }
  return exitCodes.done
}

function changeRow({ model, kind, was, now, isSuspicious }: CatalogueChange): string[] {
  const side = (name: 'input' | 'output') => (kind === 'price' ? `${was?.[name] ?? '–'} → ${now?.[name] ?? '–'}` : String(now?.[name] ?? '–'))
  return [model, kind === 'added' ? 'new' : kind, side('input'), side('output'), isSuspicious ? 'look at this one' : '']
}

export async function applyCatalogue(invocation: Invocation, versionId: string): Promise<number> {
  return showVersion(invocation, await (await invocation.client()).models.apply({ versionId }))
}

export async function rollbackCatalogue(invocation: Invocation): Promise<number> {
  const { current } = await (await invocation.client()).models.rollback({})
  if (current) return showVersion(invocation, current)
  if (invocation.isJson) invocation.printJson({ current })
  else invocation.terminal.print('  The catalogue that the program brings along counts again.')
  return exitCodes.done
}

export async function listVersions(invocation: Invocation): Promise<number> {
  const list = await (await invocation.client()).models.versions({})
  if (invocation.isJson) invocation.printJson(list)
  else {
    const columns = [
      { name: 'version', isWhole: true },
      { name: 'from' },
      { name: 'read on' },
      { name: 'changes', isNumber: true },
      { name: 'state' },
      { name: 'by' },
    ]
    const rows = list.items.map(({ id, source, readOn, changeCount, madeBy, madeAt, appliedBy, appliedAt, isCurrent }) => [
      id,
      source,
      readOn,
      changeCount,
      isCurrent ? 'counts' : appliedAt === null ? 'looked at' : 'counted',
      appliedAt === null ? `${madeBy}, ${ago(madeAt)}` : `${appliedBy ?? ''}, ${ago(appliedAt)}`,
    ])
    printList(invocation, columns, rows, ['The catalogue that the program brings along counts. npx longhaul models refresh --from …'])
  }
  return exitCodes.done
}

function showVersion(invocation: Invocation, version: CatalogueVersion): number {
  if (invocation.isJson) invocation.printJson(version)
  else invocation.terminal.print(`  The catalogue of ${version.readOn} from ${version.source} counts from now on. Back: npx longhaul models rollback`)
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
