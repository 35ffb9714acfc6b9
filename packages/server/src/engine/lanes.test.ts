import { expect, test } from 'vitest'
import { type Cap, type Lane, chooseRuns, hasRoom, openSlots, ranks } from './lanes.ts'

const scope = (agent: string, more: { tenantId?: string; laneKey?: string } = {}) => ({ tenantId: 'acme', namespace: 'default', agent, laneKey: '', ...more })
const lane = (agent: string, ids: string[], more: { tenantId?: string; laneKey?: string; rank?: number; dueMs?: number } = {}): Lane => ({
  ...scope(agent, more),
  rank: more.rank ?? ranks.normal,
  waiting: ids.map((id, at) => ({ id, dueMs: (more.dueMs ?? 0) + at })),
})
const choose = (lanes: Lane[], room: number, caps: Record<string, Cap[]> = {}, held = openSlots()) => {
  const { chosen, leftOver } = chooseRuns(lanes, { room, held, capsOf: ({ agent }) => caps[agent] ?? [] })
  return { ids: chosen.map(({ id }) => id), leftOver }
}
const ids = (name: string, count: number) => Array.from({ length: count }, (_, i) => `${name}${i}`)

test('slots go round the tenants, in a tenant round its agents, in an agent round its lane keys, and in a lane to the longest due', () => {
  const lanes = [
    lane('one', ids('a', 9)),
    lane('two', ids('b', 9), { laneKey: 'x' }),
    lane('two', ids('c', 9), { laneKey: 'y' }),
    lane('one', ids('d', 9), { tenantId: 'other' }),
  ]
  expect(choose(lanes, 8).ids).toEqual(['a0', 'd0', 'b0', 'd1', 'c0', 'd2', 'a1', 'd3'])
})

test('a tenant that holds many slots waits behind one that holds few, whoever is due longer', () => {
  const held = openSlots()
  for (let i = 0; i < 3; i++) held.take(scope('one'))
  expect(choose([lane('one', ids('a', 9)), lane('one', ids('b', 9), { tenantId: 'other', dueMs: 50 })], 4, {}, held).ids).toEqual(['b0', 'b1', 'b2', 'a0'])
})

test('a priority is a head start of a minute: it never keeps a run waiting that was due that much longer', () => {
  const lanes = [
    lane('one', ['low'], { rank: ranks.low }),
    lane('one', ['normal'], { dueMs: 1_000 }),
    lane('one', ['high'], { rank: ranks.high, dueMs: 60_500 }),
  ]
  expect(choose(lanes, 3).ids).toEqual(['high', 'normal', 'low'])
  const later = [
    lane('one', ['low'], { rank: ranks.low }),
    lane('one', ['normal'], { dueMs: 60_001 }),
    lane('one', ['high'], { rank: ranks.high, dueMs: 120_001 }),
  ]
  expect(choose(later, 3).ids).toEqual(['low', 'normal', 'high'])
})

test('a run that has begun goes before those that have not', () => {
  expect(choose([lane('one', ['new']), lane('one', ['begun'], { rank: ranks.begun, dueMs: 5_000 })], 1).ids).toEqual(['begun'])
})

test('a limit on what runs holds its lane and no other', () => {
  const { ids: chosen, leftOver } = choose([lane('one', ids('a', 3)), lane('two', ids('b', 3))], 9, { one: [{ running: 1, starts: null }] })
  expect(chosen.filter((id) => id.startsWith('a'))).toEqual(['a0'])
  expect(chosen.filter((id) => id.startsWith('b'))).toEqual(['b0', 'b1', 'b2'])
  expect([...leftOver]).toEqual([JSON.stringify(['acme', 'default', 'one', ''])])
})

test('of two lanes under one limit each gets its turn of what is left', () => {
  const shared = { running: 3, starts: null }
  expect(choose([lane('one', ids('a', 3)), lane('two', ids('b', 3))], 9, { one: [shared], two: [shared] }).ids).toEqual(['a0', 'b0', 'a1'])
})

test('a limit on starts holds those that have not begun', () => {
  const lanes = [lane('one', ids('new', 3)), lane('one', ['begun0', 'begun1'], { rank: ranks.begun, dueMs: 900_000 })]
  expect(choose(lanes, 9, { one: [{ running: 9, starts: 1 }] }).ids).toEqual(['new0', 'begun0', 'begun1'])
})

test('a cancellation needs no slot and is held by no limit', () => {
  const lanes = [lane('one', ids('a', 2)), lane('one', ['ending'], { rank: ranks.ending })]
  expect(choose(lanes, 0, { one: [{ running: 0, starts: 0 }] }).ids).toEqual(['ending'])
})

test('nobody takes the last slots of a node: whoever comes next finds one', () => {
  const held = openSlots()
  const taken = choose([lane('one', ids('a', 1_000))], 1_000, {}, held).ids.length
  expect(taken).toBe(938)
  expect(hasRoom(0, 1_000 - taken)).toBe(true)
  // Few slots are used to the last one by whoever is alone.
  expect(choose([lane('one', ids('a', 9))], 5).ids).toHaveLength(5)
})
