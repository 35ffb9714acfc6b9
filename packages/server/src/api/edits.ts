/**
 * Nobody overwrites what they have not seen. Things that are edited are answered with an `etag`, and an edit with `If-Match` is carried out only
 * while the thing still has it. One place for all of them: what is edited by what says the table `editedThings`.
 */
import { hash } from 'node:crypto'
import { type EditedThing, type Operation, editedBy, editedThings, shownIn } from '@longhaul/protocol'
import type { Caller } from '../identity/index.ts'
import { AppError } from '../kernel/index.ts'
import type { Exchange } from './exchange.ts'

type Fields = Record<string, unknown>
export type EditsOptions = {
  /** Runs `work` while nobody else, at any server, runs one under the same name. */
  during<Result>(name: string, work: () => Promise<Result>): Promise<Result>
  /** Performs the reading operation of this id, cut to its contract. */
  read(operationId: string, caller: Caller, input: Fields): Promise<unknown>
  operationOf(operationId: string): Operation
}

export function openEdits({ during, read, operationOf }: EditsOptions) {
  /** The thing that an edit is about, as it is now, or undefined while there is none. */
  async function current(thing: EditedThing, { input: schema }: Operation, caller: Caller, input: Fields): Promise<Fields | undefined> {
    const reading = operationOf(thing.read)
    const places = Object.entries(thing.key).filter(([field]) => field in shapeOf(schema))
    const wanted = Object.fromEntries(places.map(([field, of]) => [of, input[field] ?? null]))
    const inPath = [...reading.http[1].matchAll(/\{(\w+)\}/g)].map(([, name = '']) => [name, wanted[name] ?? input[name]])
    const isPaged = 'cursor' in shapeOf(reading.input)
    const isIt = (item: Fields) => Object.entries({ ...wanted, ...thing.only }).every(([field, value]) => (item[field] ?? null) === value)
    for (let cursor: unknown; ;) {
      const found = await read(thing.read, caller, { ...Object.fromEntries(inPath), ...(isPaged && { limit: 200, cursor }) }).catch(ifAbsent)
      const item = itemsOf(found).find(isIt)
      cursor = isPaged ? (found as Fields | undefined)?.['next'] : null
      if (item || !cursor) return item
    }
  }

  async function assertUnchanged(name: string, thing: EditedThing, operation: Operation, caller: Caller, input: Fields, exchange: Exchange): Promise<void> {
    const { ifMatch, ifNoneMatch } = exchange.precondition
    if (ifMatch === undefined && ifNoneMatch === undefined) return
    const item = await current(thing, operation, caller, input)
    const etag = item && etagOf(thing, item)
    if (etag) exchange.addHeader('etag', `"${etag}"`)
    if (ifMatch !== undefined && !isAmong(ifMatch, etag))
      throw new AppError(
        'precondition_failed',
        etag === undefined
          ? `There is no such ${name} any more. Nothing was changed.`
          : `This ${name} was changed since it was read: its etag is ${etag} now. Nothing was changed. Read it again, and apply the change to that.`,
      )
    if (ifNoneMatch !== undefined && isAmong(ifNoneMatch, etag))
      throw new AppError(
        'precondition_failed',
        `There is such a ${name} already. Nothing was changed. Take another name, or read it and change it with If-Match.`,
      )
  }

  return {
    /** Throws `precondition_failed` when the caller has not seen what would be overwritten. */
    async around<Result>(operation: Operation, caller: Caller, input: Fields, exchange: Exchange, work: () => Promise<Result>): Promise<Result> {
      const name = editedBy.get(operation.id)
      const thing = name === undefined ? undefined : editedThings[name]
      if (name === undefined || !thing) {
        if (operation.http[0] !== 'GET' && exchange.precondition.ifMatch !== undefined)
          throw new AppError('invalid', `${operation.id} changes nothing that has an ETag, so If-Match cannot hold. Leave it out.`)
        return work()
      }
      // Also an edit without a condition: otherwise it could come between another's look and its change.
      return during(`edit ${name} ${thing.isShared ? '' : caller.tenantId}`, async () => {
        await assertUnchanged(name, thing, operation, caller, input, exchange)
        return work()
      })
    },
    /** The answer with the `etag` of each thing in it, and with the header of a single one. */
    stamp(operation: Operation, output: unknown, exchange: Exchange): unknown {
      const thing = editedThings[shownIn.get(operation.id) ?? '']
      if (!thing || operation.http[0] === 'DELETE') return output
      const items = itemsOf(output)
      for (const item of items) item['etag'] = etagOf(thing, item)
      const [first] = items
      if (first && (first === output || operation.id.endsWith('.get'))) exchange.addHeader('etag', `"${String(first['etag'])}"`) // Of versions the newest.
      return output
    },
  }
}

/** The same for the same state, at every server. */
function etagOf({ passing }: EditedThing, item: Fields): string {
  const lasting = Object.fromEntries(Object.entries(item).filter(([field]) => field !== 'etag' && !passing.includes(field)))
  return hash('sha256', JSON.stringify(lasting, sortedKeys), 'base64url').slice(0, 22)
}

const sortedKeys = (_: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)))
    : value

/** As RFC 9110 compares for `If-Match`: strongly, so that a weak tag is never the same. `*` is any that there is. Quotes may be left out. */
export function isAmong(header: string, etag: string | undefined): boolean {
  if (etag === undefined) return false
  return header.split(',').some((each) => each.trim() === '*' || each.trim().replace(/^"(.*)"$/, '$1') === etag)
}

const itemsOf = (output: unknown): Fields[] => {
  if (output === undefined) return []
  const { items } = output as { items?: Fields[] } // Every operation's output is an object.
  return Array.isArray(items) ? items : [output as Fields]
}

const shapeOf = (schema: Operation['input']): Fields => ('shape' in schema ? (schema.shape as Fields) : {}) // Of what is no plain object no field is a key.

function ifAbsent(error: unknown): undefined {
  if (!(error instanceof AppError && error.code === 'not_found')) throw error
}
