import { readFileSync, readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { en } from './en.ts'
import { start as enStart } from './en/start.ts'
import { zh } from './zh.ts'
import { start as zhStart } from './zh/start.ts'

type Tree = { readonly [key: string]: string | Tree }
const flat = (tree: Tree, path = ''): [string, string][] =>
  Object.entries(tree).flatMap(([key, value]) => (typeof value === 'string' ? [[path + key, value] as [string, string]] : flat(value, `${path}${key}.`)))
const english = new Map([...flat(enStart), ...flat(en)])
const chinese = new Map([...flat(zhStart), ...flat(zh)])
const placeholders = (text: string) => [...text.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name).sort()

test('both languages say the same things', () => {
  expect([...chinese.keys()].sort()).toEqual([...english.keys()].filter((key) => !key.endsWith('_one')).sort())
})

test('a translation has the placeholders of its original', () => {
  for (const [key, text] of chinese) expect([key, placeholders(text)]).toEqual([key, placeholders(english.get(key) ?? '')])
})

test('a placeholder has two braces: one alone would be shown as it is', () => {
  expect([...english, ...chinese].filter(([, text]) => /(?<!\{)\{\w+\}(?!\})/.test(text))).toEqual([])
})

test('no Chinese text was left in English', () => {
  // Names, and the button that says in English that it leads to English.
  const same = new Set(['app.name', 'answer.sql', 'settings.otherLanguage'])
  const left = [...chinese].filter(
    ([key, text]) => !same.has(key) && !/\p{Script=Han}/u.test(text.replace(/\{\{\w+\}\}/g, '')) && /\p{L}/u.test(text.replace(/\{\{\w+\}\}/g, '')),
  )
  expect(left).toEqual([])
})

const folder = new URL('..', import.meta.url)
const read = (file: string) => readFileSync(new URL(file, folder), 'utf8')
const withoutCount = (key: string) => key.replace(/_(one|other)$/, '')

/** Says of a key whether that code names it, whole or with one part left open. */
function shownIn(source: string): (key: string) => boolean {
  const literals = new Set([...source.matchAll(/'([a-z][a-zA-Z]*(?:\.[a-zA-Z_-]+)+)'/g)].map(([, key]) => key))
  const templates = [...source.matchAll(/`([a-z][a-zA-Z]*\.[a-zA-Z.]*)\$\{[^}]+\}([a-zA-Z]*)`/g)].map(
    ([, before, after]) => new RegExp(`^${before?.replaceAll('.', '\\.')}[\\w-]+${after}$`),
  )
  return (key) => literals.has(withoutCount(key)) || templates.some((template) => template.test(withoutCount(key)))
}

test('every text is shown somewhere', () => {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (file) => /\.tsx?$/.test(file) && !file.startsWith('i18n') && !file.includes('.test.'),
  )
  const isShown = shownIn(files.map(read).join('\n'))
  expect([...english.keys()].filter((key) => !isShown(key))).toEqual([])
})

test('what is shown before the code of a page is loaded has its text then, and nothing else is loaded as early', () => {
  const files = new Set<string>()
  const open = ['main.tsx', 'pages/home/HomePage.tsx'] // Most people come there first, so its texts are those of the start.
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (files.has(file) || file.startsWith('i18n/')) continue
    files.add(file)
    for (const [, to = ''] of read(file).matchAll(/^(?:import|export) (?!type\b)(?:[^;'"]*? from )?'(\.[^']+\.tsx?)'/gm))
      open.push(new URL(to, new URL(file, folder)).href.slice(folder.href.length))
  }
  expect(files.size).toBeGreaterThan(50)
  // The timeline says nothing: what looks like a text there is an event's type.
  const isShown = shownIn(
    [...files]
      .filter((file) => !file.startsWith('timeline/'))
      .map(read)
      .join('\n'),
  )
  const early = new Set(flat(enStart).map(([key]) => key))
  expect([...english.keys()].filter(isShown).filter((key) => !early.has(key))).toEqual([])
  expect([...early].filter((key) => !isShown(key))).toEqual([])
})

test('a text stands in one place', () => {
  for (const [start, pages] of [
    [enStart, en],
    [zhStart, zh],
  ]) {
    const keys = new Set(flat(pages as Tree).map(([key]) => key))
    expect(flat(start as Tree).filter(([key]) => keys.has(key))).toEqual([])
  }
})
