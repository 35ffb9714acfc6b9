import type { Permission } from '@longhaul/protocol'

/** The sections of the settings, and the right that each needs. */
export const settingsSections = [
  { id: 'people', permission: 'people:manage' },
  { id: 'keys', permission: 'keys:manage' },
  { id: 'policies', permission: 'policies:manage' },
  { id: 'guardrails', permission: 'routes:manage' },
  { id: 'decisions', permission: 'audit:read' },
  { id: 'secrets', permission: 'secrets:manage' },
  { id: 'limits', permission: 'runs:read' },
  { id: 'retention', permission: 'namespaces:read' },
  { id: 'callPrivacy', permission: 'namespaces:read' },
  { id: 'hooks', permission: 'runs:read' },
  { id: 'deliveries', permission: 'runs:read' },
  { id: 'queues', permission: 'runs:read' },
  { id: 'tenants', permission: 'tenants:manage' },
] as const satisfies { id: string; permission: Permission }[]

/** With one of these there is something to see in the settings. */
export const settingsPermissions = settingsSections.map(({ permission }) => permission)
