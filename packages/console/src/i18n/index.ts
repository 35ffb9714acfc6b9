import { useSyncExternalStore } from 'react'
import type { en } from './en.ts'
import type { start } from './en/start.ts'

export const languages = ['en', 'zh'] as const
export type Language = (typeof languages)[number]

/** The texts' shape with plain strings, so that another language can fill it. Chinese has no singular. */
export type Texts<Of = typeof en> = {
  readonly [Key in keyof Of as Key extends `${string}_one` ? never : Key]: Of[Key] extends string ? string : Texts<Of[Key]>
}

/** `audit.title` for each text. Of `rows_one` and `rows_other` the count chooses, as the language does: they are one key, `rows`. */
type KeyOf<Of> = {
  [Name in keyof Of & string]: Of[Name] extends string ? (Name extends `${infer Stem}_${'one' | 'other'}` ? Stem : Name) : `${Name}.${KeyOf<Of[Name]>}`
}[keyof Of & string]
export type TextKey = KeyOf<typeof start> | KeyOf<typeof en>
export type Translate = (key: TextKey, values?: Readonly<Record<string, unknown>>) => string
type Spoken = { t: Translate; language: Language; locale: string }

/** Only the language in use is loaded, and of it first what the shell and the home page show. The pages' texts come with the first page's code. */
const load: Record<Language, { start: () => Promise<Tree>; pages: () => Promise<Tree> }> = {
  en: { start: async () => (await import('./en/start.ts')).start, pages: async () => (await import('./en.ts')).en },
  zh: { start: async () => (await import('./zh/start.ts')).start, pages: async () => (await import('./zh.ts')).zh },
}

const locales: Record<Language, string> = { en: 'en-GB', zh: 'zh-CN' }

let spoken: Spoken | undefined
let hasPages = false
const listeners = new Set<() => void>()

/** Another language and the pages' texts may be asked for at once: one after the other, so that neither undoes the other. */
let turn: Promise<void> = Promise.resolve()
function inTurn(change: () => Promise<void>): Promise<void> {
  const changed = turn.then(change)
  turn = changed.catch(() => {}) // Whoever asked hears of it.
  return changed
}

async function speak(language: Language, withPages: boolean): Promise<void> {
  const locale = locales[language]
  const texts = await Promise.all([load[language].start(), ...(withPages ? [load[language].pages()] : [])])
  spoken = { t: makeTranslate(texts, locale), language, locale }
  hasPages = withPages
  for (const listener of listeners) listener()
}

export const startI18n = (): Promise<void> => inTurn(() => speak(document.documentElement.lang.startsWith('zh') ? 'zh' : 'en', false))

/** The page stays in the language before until the texts are there. */
export async function setLanguage(language: Language): Promise<void> {
  await inTurn(() => speak(language, hasPages))
  document.documentElement.lang = language
  try {
    localStorage.setItem('longhaul.language', language)
  } catch {
    // Storage may be forbidden: then the choice lasts as long as the page.
  }
}

/** Loads a page's code and, before the first of them is drawn, the texts that only pages show. */
export const withPageTexts =
  <Module>(importPage: () => Promise<Module>): (() => Promise<Module>) =>
  async () => {
    const [module] = await Promise.all([importPage(), loadPageTexts()])
    return module
  }

const loadPageTexts = (): Promise<void> => (hasPages ? Promise.resolve() : inTurn(async () => (hasPages ? undefined : speak(now().language, true))))

/** The texts, and the language to format numbers and times in. */
export function useTexts(): Spoken {
  return useSyncExternalStore(subscribe, now)
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

function now(): Spoken {
  if (!spoken) throw new Error('startI18n has not ended yet.')
  return spoken
}

/** `texts`: parts that are looked through as one. Values go in as they are: React escapes by itself. A key without a text is shown, so that it is found. */
export function makeTranslate(texts: readonly Tree[], locale: string): Translate {
  const flat = new Map(texts.flatMap((part) => flatten(part)))
  // Made when the first text needs them: each takes some milliseconds, before the first page.
  let plurals: Intl.PluralRules | undefined
  let numbers: Intl.NumberFormat | undefined
  return (key, values = {}) => {
    const { count } = values
    const text =
      (typeof count === 'number' ? flat.get(`${key}_${(plurals ??= new Intl.PluralRules(locale)).select(count)}`) : undefined) ??
      flat.get(key) ??
      flat.get(`${key}_other`) ??
      key
    return text.replace(/\{\{(\w+)(, number)?\}\}/g, (_, name: string, isNumber?: string) => {
      const value = values[name]
      return isNumber && typeof value === 'number' ? (numbers ??= new Intl.NumberFormat(locale)).format(value) : String(value ?? '')
    })
  }
}

type Tree = { readonly [key: string]: string | Tree }
const flatten = (tree: Tree, path = ''): [string, string][] =>
  Object.entries(tree).flatMap(([key, value]) => (typeof value === 'string' ? [[path + key, value] as [string, string]] : flatten(value, `${path}${key}.`)))
