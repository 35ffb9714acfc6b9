/**
 * Which definitions of a tool server's tools are approved. What it lists first is taken as approved, by whoever deployed the agent; a tool
 * that is changed or added later is withheld until a person approves exactly what there is then. So a server that turns bad cannot put
 * new words into prompts by itself.
 */
import type { Json } from '@longhaul/protocol'
import type { Db } from '../db/index.ts'
import { type Definition, hashOf, visibleName } from './mcp/definition.ts'
import { type Pin, type PinRow, type PinScope, listPins, pinning, writePins } from './pin-store.ts'

/** The pins after what the server lists now has been held against them. */
export async function reconcile(db: Db, scope: PinScope, version: string, definitions: readonly Definition[]): Promise<Pin[]> {
  const before = await listPins(db, scope)
  if (movesOf(before, definitions, scope.connection).length === 0) return before
  return pinning(db, scope, async (tx) => {
    const rows = movesOf(await listPins(tx, scope), definitions, scope.connection)
    if (rows.length > 0) await writePins(tx, scope, version, rows)
    return listPins(tx, scope)
  })
}

/** The rows to be written. Pure. */
export function movesOf(pins: readonly Pin[], definitions: readonly Definition[], connection: string): PinRow[] {
  const isFirst = pins.length === 0
  const known = new Map(pins.map((pin) => [pin.tool, pin]))
  const moves = definitions.flatMap((definition): PinRow[] => {
    const hash = hashOf(definition)
    const pin = known.get(definition.name)
    const json = definition as Json // Plain data, by its making.
    const head = { tool: definition.name, name: visibleName(connection, definition.name), isGone: false }
    if (!pin)
      return [
        isFirst
          ? { ...head, hash, definition: json, offeredHash: null, offered: null }
          : { ...head, hash: null, definition: null, offeredHash: hash, offered: json },
      ]
    const approved = { ...head, hash: pin.hash, definition: pin.definition }
    if (pin.hash === hash) return pin.offeredHash === null && !pin.isGone ? [] : [{ ...approved, offeredHash: null, offered: null }]
    return pin.offeredHash === hash && !pin.isGone ? [] : [{ ...approved, offeredHash: hash, offered: json }]
  })
  const listed = new Set(definitions.map(({ name }) => name))
  const gone = pins.filter(({ tool, isGone }) => !listed.has(tool) && !isGone)
  return [
    ...moves,
    ...gone.map(({ tool, name, hash, definition, offeredHash, offered }) => ({ tool, name, hash, definition, offeredHash, offered, isGone: true })),
  ]
}

export type PinState = 'ready' | 'changed' | 'added' | 'gone'
export const stateOf = ({ hash, offeredHash, isGone }: Pick<Pin, 'hash' | 'offeredHash' | 'isGone'>): PinState =>
  isGone ? 'gone' : offeredHash === null ? 'ready' : hash === null ? 'added' : 'changed'
