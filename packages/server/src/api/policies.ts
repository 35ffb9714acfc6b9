import { deletePolicy, getPolicy, listPolicies, putPolicy, testPolicies } from '@longhaul/protocol'
import type { Policies } from '../identity/index.ts'
import { type Implementation, audited, implement } from './implement.ts'
import { principalOf, resourceType } from './gate.ts'

export const policyImplementations = (policies: Policies): Implementation[] => [
  audited(implement(putPolicy, (caller, input) => policies.put(caller, input))),
  implement(listPolicies, async ({ tenantId }) => ({ items: await policies.list(tenantId) })),
  implement(getPolicy, async ({ tenantId }, { name }) => ({ items: await policies.versions(tenantId, name) })),
  audited(implement(deletePolicy, (caller, { name }) => policies.delete(caller, name))),
  implement(testPolicies, (caller, { action, principal, resource, namespace, context, draft }) =>
    policies.test(
      caller.tenantId,
      {
        principal: principal ? { ...principal, roles: principal.role === undefined ? [] : [principal.role] } : principalOf(caller),
        action,
        resource: { type: resourceType(action), id: resource },
        context: { namespace, ...context },
      },
      draft,
    ),
  ),
]
