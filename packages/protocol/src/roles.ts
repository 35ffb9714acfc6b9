import { type Permission, permissions } from './operation.ts'

const reading = ['runs:read', 'agents:read', 'files:read', 'system:read', 'namespaces:read'] as const

/** Everything within a tenant. Making tenants is the installation's affair: that right is given by name only. */
const ofTenant = permissions.filter((permission) => permission !== 'tenants:manage')

/**
 * Sets of permissions by the name of whom they are for. Deploying (developer), approving (approver) and operating (operator) are rights
 * of three. A key with a role has what the role comes to in the version that runs: rights of new operations come to it by an update.
 */
export const roles = {
  administrator: ofTenant,
  developer: [...reading, 'runs:write', 'agents:deploy'],
  operator: [...reading, 'runs:write', 'runs:operate'],
  approver: [...reading, 'approvals:decide'],
  auditor: [...reading, 'audit:read'],
  viewer: reading,
} as const satisfies Record<string, readonly Permission[]>

export type Role = keyof typeof roles
export const roleNames = Object.keys(roles) as [Role, ...Role[]]
