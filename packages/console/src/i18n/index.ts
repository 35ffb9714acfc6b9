import { useSyncExternalStore } from 'react'
import type { en } from './en.ts'

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
export type TextKey = KeyOf<typeof en>
export type Translate = (key: TextKey, values?: Readonly<Record<string, unknown>>) => string
type Spoken = { t: Translate; language: Language; locale: string }

/** Only the language in use is loaded. */
const load: Record<Language, () => Promise<Texts>> = { en: async () => (await import('./en.ts')).en, zh: async () => (await import('./zh.ts')).zh }

const locales: Record<Language, string> = { en: 'en-GB', zh: 'zh-CN' }

let spoken: Spoken | undefined
const listeners = new Set<() => void>()

async function speak(language: Language): Promise<void> {
  const locale = locales[language]
  spoken = { t: makeTranslate(await load[language](), locale), language, locale }
  for (const listener of listeners) listener()
}

export const startI18n = (): Promise<void> => speak(document.documentElement.lang.startsWith('zh') ? 'zh' : 'en')

/** The page stays in the language before until the texts are there. */
export async function setLanguage(language: Language): Promise<void> {
  await speak(language)
  document.documentElement.lang = language
  try {
    localStorage.setItem('longhaul.language', language)
  } catch {
    // Storage may be forbidden: then the choice lasts as long as the page.
  }
}

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

/** Values go in as they are: React escapes by itself. A key without a text is shown, so that it is found. */
export function makeTranslate(texts: Texts, locale: string): Translate {
  const flat = new Map(flatten(texts))
  const plurals = new Intl.PluralRules(locale)
  const numbers = new Intl.NumberFormat(locale)
  return (key, values = {}) => {
    const { count } = values
    const text = (typeof count === 'number' ? flat.get(`${key}_${plurals.select(count)}`) : undefined) ?? flat.get(key) ?? flat.get(`${key}_other`) ?? key
    return text.replace(/\{\{(\w+)(, number)?\}\}/g, (_, name: string, isNumber?: string) => {
      const value = values[name]
      return isNumber && typeof value === 'number' ? numbers.format(value) : String(value ?? '')
    })
  }
}

type Tree = { readonly [key: string]: string | Tree }
const flatten = (tree: Tree, path = ''): [string, string][] =>
  Object.entries(tree).flatMap(([key, value]) => (typeof value === 'string' ? [[path + key, value] as [string, string]] : flatten(value, `${path}${key}.`)))
