/** Hooks as callers set them, and the one address at which anybody may post what is signed. */
import { DeclaredName, type HookDelivery, Name, deleteHook, getHook, listHookDeliveries, listHooks, pauseHook, resumeHook, setHook } from '@longhaul/protocol'
import type { Hooks } from '../hooks/index.ts'
import { AppError, pageBy } from '../kernel/index.ts'
import { type Implementation, audited, implement } from './implement.ts'
import { readBytes } from './input.ts'

export type HookService = Pick<Hooks, 'set' | 'list' | 'get' | 'pause' | 'resume' | 'delete' | 'deliveries'>
export type ReceiveHook = Hooks['receive']

export const hookImplementations = (hooks: HookService): Implementation[] => [
  audited(implement(setHook, (caller, input) => hooks.set(caller, input))),
  implement(listHooks, (caller, input) => hooks.list(caller, input)),
  implement(getHook, (caller, { name }) => hooks.get(caller, name)),
  audited(implement(pauseHook, (caller, { name }) => hooks.pause(caller, name))),
  audited(implement(resumeHook, (caller, { name }) => hooks.resume(caller, name))),
  audited(implement(deleteHook, (caller, { name }) => hooks.delete(caller, name))),
  implement(listHookDeliveries, (caller, { name, limit, cursor, outcome }) =>
    pageBy<HookDelivery>(limit, cursor, (before, count) => hooks.deliveries(caller, name, { before, outcome, limit: count })),
  ),
]

/** The body is taken as its bytes, which is what was signed. */
export async function takeHook(receive: ReceiveHook, request: Request, place: { tenant: string; name: string }, bodyBytesMax: number): Promise<Response> {
  if (!Name.safeParse(place.tenant).success || !DeclaredName.safeParse(place.name).success) throw new AppError('not_found', 'There is nothing here.')
  return Response.json(await receive({ ...place, headers: request.headers, body: await readBytes(request, bodyBytesMax) }))
}
