import { z } from 'zod'
import { ApprovalRule } from './approval-rules.ts'
import { operation } from './operation.ts'
import { Etag, JsonValue, Name } from './values.ts'

/** A rule in the Cedar language over API operations and tool calls. What permissions allow, a policy may forbid; it never allows more. */
export const Policy = z.object({
  name: Name,
  version: z.number().int(),
  text: z.string(),
  description: z.string(),
  isActive: z.boolean(),
  createdBy: z.string(),
  createdAt: z.iso.datetime(),
  etag: Etag.optional(),
})
export type Policy = z.infer<typeof Policy>

const name = Name
const text = z.string().min(1).max(50_000)

export const putPolicy = operation({
  id: 'policies.put',
  summary: 'Write a policy. Every change is a new version; the newest is in force at once on this server, and within a second on others.',
  http: ['POST', '/v1/policies/{name}'],
  permission: 'policies:manage',
  input: z.strictObject({ name, text, description: z.string().max(500).default('') }),
  output: Policy,
})
export const listPolicies = operation({
  id: 'policies.list',
  summary: 'All policies, in the version that is in force.',
  http: ['GET', '/v1/policies'],
  permission: 'policies:manage',
  input: z.strictObject({}),
  output: z.object({ items: z.array(Policy) }),
})
export const getPolicy = operation({
  id: 'policies.get',
  summary: 'A policy with all its versions, newest first.',
  http: ['GET', '/v1/policies/{name}'],
  permission: 'policies:manage',
  input: z.strictObject({ name }),
  output: z.object({ items: z.array(Policy) }),
})
export const deletePolicy = operation({
  id: 'policies.delete',
  summary: 'Put a policy out of force. Its versions stay readable.',
  http: ['DELETE', '/v1/policies/{name}'],
  permission: 'policies:manage',
  input: z.strictObject({ name }),
  output: Policy,
})
export const testPolicies = operation({
  id: 'policies.test',
  summary: 'What the policies say of a request that nobody makes, with or without a draft.',
  http: ['POST', '/v1/policy-tests'],
  permission: 'policies:manage',
  input: z.strictObject({
    /** An operation’s id, or `tools.call`. */
    action: z.string().min(1).max(100),
    /** Who asks. Absent: the caller. */
    principal: z
      .strictObject({ type: z.enum(['Key', 'Person']).default('Key'), id: z.string().max(64), name: z.string().max(100), role: z.string().max(63).optional() })
      .optional(),
    /** The agent, tool, run or other thing that it is about. */
    resource: z.string().max(200).default(''),
    namespace: Name.default('default'),
    context: z.record(z.string().max(100), JsonValue).default({}),
    /** A policy that is not in force, tried together with the others under this name. */
    draft: z.strictObject({ name, text }).optional(),
  }),
  output: z.object({
    isAllowed: z.boolean(),
    policies: z.array(z.string()),
    errors: z.array(z.string()),
    /** It is forbidden, and every policy that forbids it says that a person may allow it. */
    mayBeApproved: z.boolean(),
    /** Who may, where that is not one of those who may decide approvals. */
    rule: ApprovalRule.optional(),
    ms: z.number(),
  }),
})
export const policyOperations = [putPolicy, listPolicies, getPolicy, deletePolicy, testPolicies]
