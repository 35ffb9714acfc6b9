import { HookAction } from '@longhaul/protocol'
import type { Hook, HookMapping } from '@longhaul/protocol'

/** A hook's action as it is written in a form: one line for each thing that is taken from the payload. */
export type HookDraft = { type: 'start' | 'signal'; mapping: string; session: string; run: string; signal: string }

export const toDraft = (action: Hook['action'] | undefined): HookDraft => ({
  type: action?.type ?? 'start',
  mapping: mappingText(action === undefined ? '' : action.type === 'start' ? action.input : action.payload),
  session: action?.type === 'start' ? (action.session ?? '') : '',
  run: action?.type === 'signal' ? action.run : '',
  signal: action?.type === 'signal' ? action.signal : '',
})

const mappingText = (mapping: HookMapping): string =>
  typeof mapping === 'string'
    ? mapping
    : Object.entries(mapping)
        .map(([name, place]) => `${name}=${place}`)
        .join('\n')

/** `/data/id` alone is that place; lines of `name=/place` are an object; nothing is the whole payload. */
function toMapping(text: string): HookMapping {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
  if (lines.every((line) => !line.includes('='))) return lines.join('\n')
  return Object.fromEntries(lines.map((line) => [line.slice(0, Math.max(0, line.indexOf('='))).trim(), line.slice(line.indexOf('=') + 1).trim()]))
}

/** The action, or what is wrong with it. */
export function toAction({ type, mapping, session, run, signal }: HookDraft): { action: HookAction } | { problem: string } {
  const parsed = HookAction.safeParse(
    type === 'start'
      ? { type, input: toMapping(mapping), ...(session.trim() && { session: session.trim() }) }
      : { type, run: run.trim(), signal: signal.trim(), payload: toMapping(mapping) },
  )
  if (parsed.success) return { action: parsed.data }
  const issue = parsed.error.issues[0]
  return { problem: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}` }
}
