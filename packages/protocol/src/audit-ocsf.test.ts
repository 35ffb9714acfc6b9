import { expect, test } from 'vitest'
import type { AuditEntry } from './audit.ts'
import { toOcsf } from './audit-ocsf.ts'

const entry: AuditEntry = {
  seq: 7,
  at: '2026-11-27T12:00:00.250Z',
  who: { id: 'k-1', name: 'ci' },
  action: 'keys.create',
  target: 'k-2',
  outcome: 'done',
  detail: { role: 'viewer' },
  requestId: 'r-1',
  hash: 'ab',
}

/** The schema's word for it. */
const principal = 'actor'

test('an entry is an API Activity event: what was done, by whom, to what, when, and how it went', () => {
  expect(toOcsf(entry, 'acme')).toMatchObject({
    class_uid: 6003,
    category_uid: 6,
    activity_id: 1,
    type_uid: 600_301,
    severity_id: 1,
    time: 1_795_780_800_250,
    status_id: 1,
    [principal]: { user: { uid: 'k-1', name: 'ci' } },
    api: { operation: 'keys.create', request: { uid: 'r-1' } },
    resources: [{ uid: 'k-2', type: 'keys' }],
    metadata: { uid: 'acme/7', tenant_uid: 'acme', sequence: 7 },
    unmapped: { detail: { role: 'viewer' }, hash: 'ab' },
  })
})

test('a refusal is a failure, and the server itself has no key', () => {
  const refused = toOcsf({ ...entry, who: { id: null, name: 'server' }, action: 'tools.call', target: null, outcome: 'refused', requestId: null }, 'acme')
  expect(refused).toMatchObject({ activity_id: 99, type_uid: 600_399, status_id: 2, status_detail: 'refused', severity_id: 2, resources: [] })
  expect(refused).toMatchObject({ [principal]: { user: { name: 'server', type_id: 3 } }, api: { operation: 'tools.call' } })
})

test('verbs are told as what they come to', () => {
  const activity = (action: string) => toOcsf({ ...entry, action }, 'acme')['activity_id']
  expect(['keys.delete', 'keys.rotate', 'secrets.use', 'runs.start', 'sandboxes.stop', 'audit.verify'].map(activity)).toEqual([4, 3, 2, 1, 4, 99])
})
