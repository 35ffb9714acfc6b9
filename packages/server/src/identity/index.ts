export { defaultTenantId, firstKey } from './credentials.ts'
export type { Credentials } from './credentials.ts'
export { openKeys } from './keys.ts'
export type { Caller, Keys, NewKey } from './keys.ts'
