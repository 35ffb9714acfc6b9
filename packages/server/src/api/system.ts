import { type System, getSystem } from '@longhaul/protocol'
import { type Implementation, implement } from './implement.ts'

export type SystemService = { describe(): Promise<Omit<System, 'caller'>> }

export const systemImplementations = (system: SystemService): Implementation[] => [
  implement(getSystem, async ({ keyId, tenantId, name, permissions, access }) => ({
    ...(await system.describe()),
    caller: { id: keyId, tenantId, name, permissions: [...permissions], access },
  })),
]
