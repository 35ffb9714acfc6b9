import { type Permission, permissions } from './operation.ts'

const reading = ['runs:read', 'agents:read', 'files:read', 'system:read', 'namespaces:read'] as const
/** What was paid, and the model calls outside of runs. */
const spending = ['money:read', 'calls:read'] as const

/** Everything within a tenant. Making tenants is the installation's affair: that right is given by name only. */
const ofTenant = permissions.filter((permission) => permission !== 'tenants:manage')

/**
 * Sets of permissions by the name of whom they are for. Deploying (developer), approving (approver) and operating (operator) are rights
 * of three. A key with a role has what the role comes to in the version that runs: rights of new operations come to it by an update.
 */
export const roles = {
  administrator: ofTenant,
  developer: [...reading, ...spending, 'runs:write', 'agents:deploy', 'tools:call', 'models:call', 'sandboxes:read', 'sandboxes:write'],
  operator: [...reading, ...spending, 'runs:write', 'runs:operate', 'runs:stop', 'limits:manage', 'schedules:manage', 'hooks:manage', 'sandboxes:read'],
  approver: [...reading, 'approvals:decide'],
  auditor: [...reading, ...spending, 'sandboxes:read', 'audit:read'],
  viewer: reading,
} as const satisfies Record<string, readonly Permission[]>

export type Role = keyof typeof roles
export const roleNames = Object.keys(roles) as [Role, ...Role[]]
