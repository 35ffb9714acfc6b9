/**
 * What is edited, and by which operations. Each such thing is answered with an `etag`; an edit with `If-Match` is refused once the thing has
 * another. A table without schemas: the pipeline, the clients and the documents read it.
 */
export type EditedThing = {
  /** The operation that answers with it as it is now; one that answers with `items` is looked through. */
  read: string
  edits: readonly string[]
  /** Other operations that answer with it. */
  shownBy: readonly string[]
  /** Which field of an edit's input is which field of the thing. None: there is only one. */
  key: Readonly<Record<string, string>>
  /** What changes without anybody's editing, and is no reason to refuse an edit. */
  passing: readonly string[]
  /** Of several with the same key only those with these values are edited. */
  only?: Readonly<Record<string, string>>
  /** It belongs to no tenant: whoever may edit it edits the same one. */
  isShared?: boolean
}

const named = { name: 'name' }
const things = {
  budget: { read: 'budgets.get', edits: ['budgets.set', 'budgets.delete'], shownBy: ['budgets.list'], key: named, passing: ['counters', 'fullest'] },
  route: { read: 'routes.get', edits: ['routes.set', 'routes.delete'], shownBy: ['routes.list'], key: named, passing: ['problems'] },
  guardrail: { read: 'guardrails.get', edits: ['guardrails.set', 'guardrails.delete'], shownBy: ['guardrails.list'], key: named, passing: [] },
  policy: { read: 'policies.get', edits: ['policies.put', 'policies.delete'], shownBy: ['policies.list'], key: named, passing: [] },
  schedule: {
    read: 'schedules.get',
    edits: ['schedules.set', 'schedules.pause', 'schedules.resume', 'schedules.delete'],
    shownBy: ['schedules.list'],
    key: named,
    passing: ['nextFires', 'queuedAt', 'lastRunId'],
  },
  hook: { read: 'hooks.get', edits: ['hooks.set', 'hooks.pause', 'hooks.resume', 'hooks.delete'], shownBy: ['hooks.list'], key: named, passing: [] },
  secret: { read: 'secrets.get', edits: ['secrets.set', 'secrets.delete'], shownBy: ['secrets.list'], key: named, passing: ['lastUsedAt', 'useCount'] },
  limit: {
    read: 'limits.list',
    edits: ['limits.set', 'limits.delete'],
    shownBy: [],
    key: { limitId: 'id', namespace: 'namespace', agent: 'agent', laneKey: 'laneKey' },
    only: { source: 'operator' },
    passing: [],
  },
  namespace: { read: 'namespaces.list', edits: ['namespaces.put', 'namespaces.delete'], shownBy: [], key: named, passing: ['consumption'] },
  tenant: { read: 'tenants.get', edits: ['tenants.update'], shownBy: ['tenants.list'], key: { id: 'id' }, passing: ['consumption'], isShared: true },
  person: { read: 'people.list', edits: ['people.update', 'people.delete'], shownBy: [], key: { personId: 'id' }, passing: ['lastSeenAt', 'hasSecondFactor'] },
  sso: { read: 'sso.get', edits: ['sso.set', 'sso.delete'], shownBy: [], key: {}, passing: [] },
  retention: { read: 'retention.list', edits: ['retention.set'], shownBy: [], key: { namespace: 'namespace' }, passing: [] },
  preview: { read: 'previews.list', edits: ['previews.set', 'previews.delete'], shownBy: [], key: named, passing: [] },
} as const satisfies Record<string, EditedThing>

export const editedThings: Readonly<Record<string, EditedThing>> = things
const by = (idsOf: (thing: EditedThing) => readonly string[]): ReadonlyMap<string, string> =>
  new Map(Object.entries(editedThings).flatMap(([name, thing]) => idsOf(thing).map((id) => [id, name] as const)))

/** The thing that an operation edits, by the operation's id. */
export const editedBy = by(({ edits }) => edits)
/** The thing that an operation answers with. */
export const shownIn = by(({ read, edits, shownBy }) => [read, ...edits, ...shownBy])
