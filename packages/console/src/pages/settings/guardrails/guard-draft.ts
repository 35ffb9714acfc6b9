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
  inputBytesMax: '',
  inputTokensMax: '',
  outputTokensMax: '',
})

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
      return { ...empty, kinds: guard.kinds, on: guard.on, action: guard.action }
    case 'secrets':
      return { ...empty, on: guard.on, action: guard.action }
    case 'words':
      return { ...empty, words: guard.words.join('\n'), on: guard.on, action: guard.action }
    case 'schema':
      return { ...empty, schema: JSON.stringify(guard.schema, null, 2), isRepaired: guard.repair, action: guard.action }
    case 'moderation':
      return { ...empty, model: guard.model, policy: guard.policy ?? '', on: guard.on, action: guard.action }
  }
}

/** The guard, or what is wrong with it as the contract words it. */
export function toGuard(draft: GuardDraft): { guard: Guard } | { problem: string } {
  const parsed = Guard.safeParse(fieldsOf(draft))
  if (parsed.success) return { guard: parsed.data }
  const issue = parsed.error.issues[0]
  return { problem: `${issue?.path.join('.') || draft.type}: ${issue?.message ?? ''}` }
}

function fieldsOf({ type, on, action, ...draft }: GuardDraft): object {
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
      return { type, kinds: draft.kinds, on, action }
    case 'secrets':
      return { type, on, action }
    case 'words': {
      const words = draft.words.split('\n').map((word) => word.trim())
      return { type, words: words.filter(Boolean), on, action }
    }
    case 'schema':
      return { type, schema: jsonOf(draft.schema), repair: draft.isRepaired, action }
    case 'moderation':
      return { type, model: draft.model.trim(), ...(draft.policy.trim() && { policy: draft.policy.trim() }), on, action }
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
