import i18next from 'i18next'
import { initReactI18next, useTranslation } from 'react-i18next'
import type { en } from './en.ts'

export const languages = ['en', 'zh'] as const
export type Language = (typeof languages)[number]

/** The texts' shape with plain strings, so that another language can fill it. Chinese has no singular. */
export type Texts<Of = typeof en> = {
  readonly [Key in keyof Of as Key extends `${string}_one` ? never : Key]: Of[Key] extends string ? string : Texts<Of[Key]>
}

declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'console'
    resources: { console: typeof en }
  }
}

/** Only the language in use is loaded. */
const load: Record<Language, () => Promise<Texts>> = { en: async () => (await import('./en.ts')).en, zh: async () => (await import('./zh.ts')).zh }

export async function startI18n(): Promise<void> {
  const language: Language = document.documentElement.lang.startsWith('zh') ? 'zh' : 'en'
  await i18next.use(initReactI18next).init({
    lng: language,
    fallbackLng: false,
    supportedLngs: languages,
    defaultNS: 'console',
    resources: { [language]: { console: await load[language]() } },
    // React escapes by itself.
    interpolation: { escapeValue: false },
  })
}

export async function setLanguage(language: Language): Promise<void> {
  if (!i18next.hasResourceBundle(language, 'console')) i18next.addResourceBundle(language, 'console', await load[language]())
  document.documentElement.lang = language
  try {
    localStorage.setItem('longhaul.language', language)
  } catch {
    // Storage may be forbidden: then the choice lasts as long as the page.
  }
  await i18next.changeLanguage(language)
}

/** The texts, and the language to format numbers and times in. */
export function useTexts() {
  const { t, i18n } = useTranslation('console')
  const language: Language = i18n.language === 'zh' ? 'zh' : 'en'
  return { t, language, locale: language === 'zh' ? 'zh-CN' : 'en-GB' }
}
export type Translate = ReturnType<typeof useTexts>['t']
