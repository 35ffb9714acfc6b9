import { readEntities } from '../warehouse/index.ts'
import type { Figure } from './figure.ts'
import { languageOf, type Language } from './format.ts'

/** Writes values as people say them, in the language of the title: `mid_market` as Mid-market, `Europe` as 欧洲. */
export function inWords(figure: Figure): Figure {
  const language = languageOf(figure.title)
  const say = (value: string) => labels()[language].get(value) ?? (/^[a-z0-9]+(_[a-z0-9]+)+$/.test(value) ? value.replaceAll('_', ' ') : value)
  return { ...figure, categories: figure.categories.map(say), series: figure.series.map((one) => ({ ...one, name: say(one.name) })) }
}

/** What to write under the title when the caller may not see everything. */
export function limitNote(regions: readonly string[] | null, title: string): string | null {
  if (regions === null) return null
  const language = languageOf(title)
  const names = regions.map((region) => labels()[language].get(region) ?? region)
  return language === 'zh' ? `仅含：${names.join('、')}` : `${names.join(', ')} only`
}

const labels = (): Record<Language, ReadonlyMap<string, string>> => (known ??= { en: readLabels('en'), zh: readLabels('zh') })
let known: Record<Language, ReadonlyMap<string, string>> | undefined

function readLabels(language: Language): Map<string, string> {
  const found = new Map<string, string>()
  for (const { columns } of readEntities())
    for (const { values = [] } of columns) for (const { value, label } of values) if (!found.has(value)) found.set(value, label[language])
  return found
}
