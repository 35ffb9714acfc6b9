import type { Permission } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { systemQuery } from './queries.ts'

/** Whether the visitor's key may do this. A key that may not even read the system page is let try: the server has the last word anyway. */
export function usePermission(permission: Permission): boolean {
  const { data } = useQuery(systemQuery())
  return data?.caller.permissions.includes(permission) ?? true
}

/** The same for what is not shown at all without it. Undefined until it is known. */
export function useMay(): (permission: Permission) => boolean | undefined {
  const { data, isPending } = useQuery(systemQuery())
  return (permission) => (data ? data.caller.permissions.includes(permission) : isPending ? undefined : true)
}
