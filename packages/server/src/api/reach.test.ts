import { operations } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { assertReach, isReached } from './reach.ts'

type Schema = { properties?: Record<string, Schema>; items?: Schema; anyOf?: Schema[]; oneOf?: Schema[] }

/** Where a schema has a field of one of these names. */
function fieldsOf(schema: Schema, names: readonly string[], path: string[] = []): string[][] {
  return [
    ...Object.entries(schema.properties ?? {}).flatMap(([name, field]) => [
      ...(names.includes(name) ? [[...path, name]] : []),
      ...fieldsOf(field, names, [...path, name]),
    ]),
    ...(schema.items ? fieldsOf(schema.items, names, [...path, '[]']) : []),
    ...[...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].flatMap((choice) => fieldsOf(choice, names, path)),
  ]
}
const inputAt = ([name, ...rest]: string[], value: string): unknown =>
  name === undefined ? value : name === '[]' ? [inputAt(rest, value)] : { [name]: inputAt(rest, value) }

const fields = operations.flatMap((operation) => {
  const schema = z.toJSONSchema(operation.input, { io: 'input', unrepresentable: 'any', reused: 'inline' }) as Schema
  return fieldsOf(schema, ['agent', 'namespace', 'agents', 'namespaces']).map((path) => [`${operation.id} ${path.join('.')}`, operation, path] as const)
})

test('operations name agents and namespaces', () => {
  expect(fields.length).toBeGreaterThan(25)
})

test.each(fields)('%s is held to the caller’s reach', (_, operation, path) => {
  const what = path.at(-1)
  // What is passed on to a key or a person is held to by `whyNotGrant`, secrets by their own service; both have tests of their own.
  if (what === 'agents' || what === 'namespaces') return expect(operation.permission).toMatch(/^(keys|people|secrets):manage$/)
  const caller = what === 'agent' ? { agents: ['mine'] } : { namespaces: ['mine'] }
  const input = (value: string) => inputAt([...path], value) as Record<string, unknown>
  expect(() => assertReach(caller, operation, input('other'))).toThrow(/^No (agent|namespace) other/)
  expect(() => assertReach(caller, operation, input('mine'))).not.toThrow()
  expect(() => assertReach({}, operation, input('other'))).not.toThrow()
})

test('what would hold everywhere is refused to whoever is limited', () => {
  const of = (id: string) => operations.find((operation) => operation.id === id) ?? expect.fail(id)
  for (const caller of [{ agents: ['mine'] }, { namespaces: ['mine'] }]) {
    expect(() => assertReach(caller, of('limits.set'), { runningMax: 0 })).toThrow(/Name one/)
    expect(() => assertReach(caller, of('stops.create'), { tenant: true })).toThrow(/Name one/)
    expect(() => assertReach(caller, of('stops.create'), { runId: 'r' })).not.toThrow()
  }
  expect(() => assertReach({ agents: ['mine'] }, of('agents.get'), { name: 'other' })).toThrow(/No agent other/)
  expect(() => assertReach({}, of('limits.set'), { runningMax: 0 })).not.toThrow()
})

test('what is about the whole tenant is refused to whoever is limited, whatever it names', () => {
  const ofTenant = ['policies.put', 'policies.delete', 'routes.set', 'routes.delete', 'models.set', 'models.unset']
  for (const id of [
    ...ofTenant,
    'namespaces.put',
    'namespaces.delete',
    'sso.set',
    'sso.delete',
    'audit.list',
    'audit.export',
    'routes.clearCache',
    'providers.set',
    'providers.delete',
  ]) {
    const operation = operations.find((each) => each.id === id) ?? expect.fail(id)
    for (const caller of [{ agents: ['mine'] }, { namespaces: ['mine'] }]) expect(() => assertReach(caller, operation, {}), id).toThrow(/whole tenant/)
    expect(() => assertReach({}, operation, {})).not.toThrow()
  }
})

test('what belongs to all is within nobody’s limits', () => {
  expect([{ agent: null }, { agent: 'other' }, {}, { agent: 'mine' }].map((place) => isReached({ agents: ['mine'] }, place))).toEqual([
    false,
    false,
    false,
    true,
  ])
  expect(isReached({}, { agent: null })).toBe(true)
})
