import i18next from 'i18next'
import { initReactI18next, useTranslation } from 'react-i18next'
import { en } from './en.ts'
import { zh } from './zh.ts'

export const languages = ['en', 'zh'] as const
export type Language = (typeof languages)[number]

/** The texts' shape with plain strings, so that another language can fill it. Chinese has no singular. */
export type Texts<Of = typeof en> = { readonly [Key in keyof Of as Key extends `${string}_one` ? never : Key]: Of[Key] extends string ? string : Texts<Of[Key]> }

declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'console'
    resources: { console: typeof en }
  }
}

export async function startI18n(): Promise<void> {
  await i18next.use(initReactI18next).init({
    lng: document.documentElement.lang.startsWith('zh') ? 'zh' : 'en',
    fallbackLng: false,
    supportedLngs: languages,
    defaultNS: 'console',
    resources: { en: { console: en }, zh: { console: zh } },
    // React escapes by itself.
    interpolation: { escapeValue: false },
  })
}

export function setLanguage(language: Language): void {
  document.documentElement.lang = language
  try {
    localStorage.setItem('longhaul.language', language)
  } catch {
    // Storage may be forbidden: then the choice lasts as long as the page.
  }
  void i18next.changeLanguage(language)
}

/** The texts, and the language to format numbers and times in. */
export function useTexts() {
  const { t, i18n } = useTranslation('console')
  const language: Language = i18n.language === 'zh' ? 'zh' : 'en'
  return { t, language, locale: language === 'zh' ? 'zh-CN' : 'en-GB' }
}
export type Translate = ReturnType<typeof useTexts>['t']
