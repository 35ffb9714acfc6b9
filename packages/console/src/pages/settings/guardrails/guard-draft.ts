import { Guard, personalKinds } from '@longhaul/protocol'
import type { PersonalKind } from '@longhaul/protocol'

export const guardTypes = ['personal', 'secrets', 'words', 'size', 'schema', 'moderation'] as const
export type GuardType = (typeof guardTypes)[number]
export const guardPlaces = ['request', 'answer', 'both'] as const

/** A guard as it is written in a form: everything that any type has. What its type does not have is left out again. */
export type GuardDraft = {
  type: GuardType
  on: (typeof guardPlaces)[number]
  action: 'block' | 'mask' | 'annotate'
  kinds: PersonalKind[]
  words: string
  schema: string
  isRepaired: boolean
  model: string
  policy: string
  unreadFiles: 'annotate' | 'block'
  inputBytesMax: string
  inputTokensMax: string
  outputTokensMax: string
}

export const emptyDraft = (type: GuardType): GuardDraft => ({
  type,
  on: 'request',
  action: type === 'personal' ? 'mask' : 'block',
  kinds: [...personalKinds],
  words: '',
  schema: '{\n  "type": "object"\n}',
  isRepaired: true,
  model: '',
  policy: '',
  unreadFiles: 'annotate',
  inputBytesMax: '',
  inputTokensMax: '',
  outputTokensMax: '',
})

/** Of guards that read requests: what becomes of files that they cannot read. */
export const unreadFilesActions = ['annotate', 'block'] as const
export const readsRequests = ({ type, on }: Pick<GuardDraft, 'type' | 'on'>): boolean => type !== 'size' && type !== 'schema' && on !== 'answer'

const number = (value: number | undefined): string => (value === undefined ? '' : String(value))

export function toDraft(guard: Guard): GuardDraft {
  const empty = emptyDraft(guard.type)
  switch (guard.type) {
    case 'size':
      return {
        ...empty,
        inputBytesMax: number(guard.inputBytesMax),
        inputTokensMax: number(guard.inputTokensMax),
        outputTokensMax: number(guard.outputTokensMax),
      }
    case 'personal':
      return { ...empty, kinds: guard.kinds, ...placeOf(guard) }
    case 'secrets':
      return { ...empty, ...placeOf(guard) }
    case 'words':
      return { ...empty, words: guard.words.join('\n'), ...placeOf(guard) }
    case 'schema':
      return { ...empty, schema: JSON.stringify(guard.schema, null, 2), isRepaired: guard.repair, action: guard.action }
    case 'moderation':
      return { ...empty, model: guard.model, policy: guard.policy ?? '', ...placeOf(guard) }
  }
}

const placeOf = ({ on, action, unreadFiles = 'annotate' }: Extract<Guard, { on: string }>): Pick<GuardDraft, 'on' | 'action' | 'unreadFiles'> => ({
  on,
  action,
  unreadFiles,
})

/** The guard, or what is wrong with it as the contract words it. */
export function toGuard(draft: GuardDraft): { guard: Guard } | { problem: string } {
  const parsed = Guard.safeParse(fieldsOf(draft))
  if (parsed.success) return { guard: parsed.data }
  const issue = parsed.error.issues[0]
  return { problem: `${issue?.path.join('.') || draft.type}: ${issue?.message ?? ''}` }
}

function fieldsOf({ type, on, action, unreadFiles, ...draft }: GuardDraft): object {
  const place = { on, action, ...(readsRequests({ type, on }) && unreadFiles === 'block' && { unreadFiles }) }
  switch (type) {
    case 'size':
      return {
        type,
        ...Object.fromEntries(
          (['inputBytesMax', 'inputTokensMax', 'outputTokensMax'] as const).flatMap((field) =>
            draft[field].trim() === '' ? [] : [[field, Number(draft[field])]],
          ),
        ),
      }
    case 'personal':
      return { type, kinds: draft.kinds, ...place }
    case 'secrets':
      return { type, ...place }
    case 'words': {
      const words = draft.words.split('\n').map((word) => word.trim())
      return { type, words: words.filter(Boolean), ...place }
    }
    case 'schema':
      return { type, schema: jsonOf(draft.schema), repair: draft.isRepaired, action }
    case 'moderation':
      return { type, model: draft.model.trim(), ...(draft.policy.trim() && { policy: draft.policy.trim() }), ...place }
  }
}

/** Undefined where it is no JSON, which the contract refuses. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
