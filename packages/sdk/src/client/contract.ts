import {
  cancelRun,
  createDeployment,
  createKey,
  createStop,
  createTenant,
  createVersion,
  decideApproval,
  decideStep,
  deleteKey,
  deleteLimit,
  deleteNamespace,
  deletePolicy,
  deleteSchedule,
  deleteSecret,
  dismissAttention,
  exportAudit,
  exportRun,
  fireSchedule,
  getAgent,
  getAuditHead,
  getPolicy,
  getRun,
  getSchedule,
  getSecret,
  getStep,
  getSystem,
  getTenant,
  liftStop,
  listAgents,
  listApprovals,
  listAttention,
  listAudit,
  listDeliveries,
  listDeployments,
  listFires,
  listKeys,
  listLimits,
  listNamespaces,
  listPolicies,
  listRunEvents,
  listRuns,
  listSchedules,
  listSecrets,
  listStops,
  listTenants,
  listVersions,
  pauseSchedule,
  putNamespace,
  putPolicy,
  resumeSchedule,
  retryAttention,
  retryRun,
  rollBack,
  rotateKey,
  setLimit,
  setSchedule,
  setSecret,
  signalRun,
  startRun,
  testPolicies,
  updateTenant,
  verifyAudit,
} from '@longhaul/protocol'
import type { Operation } from '@longhaul/protocol'
import type { z } from 'zod'

/** Every operation under its own id, `noun.verb`. A test compares this with the protocol's list, so none can be missing or misnamed. */
export const contract = {
  runs: {
    start: startRun,
    get: getRun,
    list: listRuns,
    events: listRunEvents,
    export: exportRun,
    step: getStep,
    cancel: cancelRun,
    retry: retryRun,
    decide: decideStep,
    signal: signalRun,
  },
  attention: { list: listAttention, retry: retryAttention, dismiss: dismissAttention },
  deliveries: { list: listDeliveries },
  approvals: { list: listApprovals, decide: decideApproval },
  agents: { list: listAgents, get: getAgent },
  versions: { create: createVersion, list: listVersions },
  deployments: { create: createDeployment, list: listDeployments, rollback: rollBack },
  limits: { set: setLimit, list: listLimits, delete: deleteLimit },
  stops: { create: createStop, list: listStops, lift: liftStop },
  schedules: {
    set: setSchedule,
    list: listSchedules,
    get: getSchedule,
    pause: pauseSchedule,
    resume: resumeSchedule,
    delete: deleteSchedule,
    fire: fireSchedule,
    fires: listFires,
  },
  keys: { create: createKey, list: listKeys, rotate: rotateKey, delete: deleteKey },
  tenants: { create: createTenant, list: listTenants, get: getTenant, update: updateTenant },
  namespaces: { put: putNamespace, list: listNamespaces, delete: deleteNamespace },
  policies: { put: putPolicy, list: listPolicies, get: getPolicy, delete: deletePolicy, test: testPolicies },
  secrets: { set: setSecret, list: listSecrets, get: getSecret, delete: deleteSecret },
  audit: { list: listAudit, export: exportAudit, head: getAuditHead, verify: verifyAudit },
  system: { get: getSystem },
} as const satisfies Record<string, Record<string, Operation>>

type Contract = typeof contract
type Parsed<Op extends Operation> = z.output<Op['input']>
type Sent<Op extends Operation> = z.input<Op['input']>

/** What a caller gives: fields with a default may be left out; a field that the schema coerces is typed as what it becomes. */
export type InputOf<Op extends Operation> = {
  [Field in keyof Sent<Op>]: unknown extends Sent<Op>[Field] ? (Field extends keyof Parsed<Op> ? Parsed<Op>[Field] : never) : Sent<Op>[Field]
}
export type OutputOf<Op extends Operation> = z.output<Op['output']>
export type CallOptions = { signal?: AbortSignal; timeoutMs?: number }

export type Call<Op extends Operation> =
  {} extends InputOf<Op>
    ? (input?: InputOf<Op>, options?: CallOptions) => Promise<OutputOf<Op>>
    : (input: InputOf<Op>, options?: CallOptions) => Promise<OutputOf<Op>>

export type Calls = {
  readonly [Noun in keyof Contract]: { readonly [Verb in keyof Contract[Noun]]: Contract[Noun][Verb] extends Operation ? Call<Contract[Noun][Verb]> : never }
}
