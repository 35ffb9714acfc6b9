/** What guards that look at texts say of a value. Pure. */
import type { Guard } from '@longhaul/protocol'
import type { Found } from './found.ts'
import { findPersonal } from './personal.ts'
import { findSecrets } from './secrets.ts'
import { mapTexts } from './texts.ts'
import { findWords } from './words.ts'

export type TextGuard = Extract<Guard, { type: 'personal' | 'secrets' | 'words' }>
export type Side = 'request' | 'answer'

export const isTextGuard = (guard: Guard): guard is TextGuard => guard.type === 'personal' || guard.type === 'secrets' || guard.type === 'words'

export type Judged = {
  /** With what is masked replaced. */
  value: unknown
  /** How many different things of each kind. */
  found: Record<string, number>
  /** Where it stands and cannot be replaced: in a name or as a key, or in a document. */
  stuckIn: 'name' | 'document' | undefined
}

/** `documents`: texts of files that cannot be changed. */
type Judging = { side: Side; documents?: readonly string[]; hide(kind: string, original: string): string }

export function judgeTexts(value: unknown, guard: TextGuard, { side, documents = [], hide }: Judging): Judged {
  const things = new Map<string, Set<string>>()
  let stuckIn: Judged['stuckIn']
  const findAndNote = (text: string): Found[] => {
    const found = find(text, guard)
    for (const { kind, start, end } of found) things.set(kind, (things.get(kind) ?? new Set()).add(text.slice(start, end)))
    return found
  }
  const look = (text: string, isFixed: boolean): string => {
    // Names in an answer are the provider's or the caller's own.
    if (isFixed && side === 'answer') return text
    const found = findAndNote(text)
    if (found.length === 0) return text
    if (guard.action !== 'mask') return text
    if (isFixed) {
      stuckIn ??= 'name'
      return text
    }
    return replace(text, found, hide)
  }
  const visit = (text: string, isFixed: boolean): string => {
    const inner = isFixed ? undefined : innerJson(text)
    if (inner === undefined) return look(text, isFixed)
    // Arguments of tools are JSON within a text: escapes there must not hide anything.
    const looked = mapTexts(inner, look, { withNumbers: true })
    const written = JSON.stringify(looked)
    return written === JSON.stringify(inner) ? text : written
  }
  const seen = mapTexts(value, visit)
  for (const text of documents) {
    const found = findAndNote(text)
    if (found.length > 0 && guard.action === 'mask') stuckIn ??= 'document'
  }
  return { value: seen, found: Object.fromEntries([...things].map(([kind, all]) => [kind, all.size])), stuckIn }
}

function find(text: string, guard: TextGuard): Found[] {
  switch (guard.type) {
    case 'personal':
      return findPersonal(text, guard.kinds)
    case 'secrets':
      return findSecrets(text)
    case 'words':
      return findWords(text, guard.words)
  }
}

function replace(text: string, found: readonly Found[], hide: (kind: string, original: string) => string): string {
  let out = ''
  let at = 0
  for (const { kind, start, end } of found) {
    out += text.slice(at, start) + hide(kind, text.slice(start, end))
    at = end
  }
  return out + text.slice(at)
}

function innerJson(text: string): object | undefined {
  if (!/^\s*[{[]/.test(text) || !text.includes('"')) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined // Only looks like it.
  }
}
