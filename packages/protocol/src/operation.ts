import type { z } from 'zod'

export type HttpMethod = 'GET' | 'POST' | 'DELETE'
export const permissions = [
  'runs:read',
  'runs:write',
  'runs:operate',
  'runs:stop',
  'limits:manage',
  'schedules:manage',
  'hooks:manage',
  'approvals:decide',
  'agents:read',
  'agents:deploy',
  'files:read',
  'keys:manage',
  'people:manage',
  'namespaces:read',
  'namespaces:manage',
  'tenants:manage',
  'policies:manage',
  'secrets:manage',
  'audit:read',
  'system:read',
  'sandboxes:read',
  'sandboxes:write',
  'money:read',
  'money:manage',
  'models:call',
  'routes:manage',
  'calls:read',
  'calls:reveal',
  'tools:review',
  'tools:call',
] as const
export type Permission = (typeof permissions)[number]
/** What it takes to be let in: a permission, being a person who is signed in (`oneself`), or nothing (`anybody`). */
export type Admission = Permission | 'oneself' | 'anybody'

/** One thing that callers can ask for, defined once. HTTP, OpenAPI, the clients and the permission tests derive from it. */
export type Operation<Input extends z.ZodType = z.ZodType, Output extends z.ZodType = z.ZodType> = {
  /** `noun.verb`, the name in clients and in the audit log. */
  id: string
  summary: string
  /** Path parameters in braces: `/v1/runs/{runId}`. They are fields of `input`. */
  http: readonly [HttpMethod, string]
  permission: Admission
  input: Input
  output: Output
  /** It can be followed: what the frames of its stream hold. */
  frame?: z.ZodType
  /** Over HTTP its answer is the stream, unless JSON is asked for. */
  isStreamFirst?: boolean
  /** Largest body, where that is not what the server is set to. */
  bodyBytesMax?: number
  /** It will be gone, or is there for old callers only. */
  deprecated?: Deprecated
}

export type Deprecated = {
  /** Days, as `2026-12-01`: from when on it should not be used; from when on it may be gone. */
  since: string
  sunset?: string
  /** Where it is written what to do instead. */
  link: string
  /** The operation to use instead. */
  instead?: string
}

export const operation = <Input extends z.ZodType, Output extends z.ZodType>(spec: Operation<Input, Output>): Operation<Input, Output> => spec
