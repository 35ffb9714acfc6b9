import { readFileSync, readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { en } from './en.ts'
import { zh } from './zh.ts'

type Tree = { readonly [key: string]: string | Tree }
const flat = (tree: Tree, path = ''): [string, string][] =>
  Object.entries(tree).flatMap(([key, value]) => (typeof value === 'string' ? [[path + key, value] as [string, string]] : flat(value, `${path}${key}.`)))
const english = new Map(flat(en))
const chinese = new Map(flat(zh))
const placeholders = (text: string) => [...text.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name).sort()

test('both languages say the same things', () => {
  expect([...chinese.keys()].sort()).toEqual([...english.keys()].filter((key) => !key.endsWith('_one')).sort())
})

test('a translation has the placeholders of its original', () => {
  for (const [key, text] of chinese) expect([key, placeholders(text)]).toEqual([key, placeholders(english.get(key) ?? '')])
})

test('no Chinese text was left in English', () => {
  // Names, and the button that says in English that it leads to English.
  const same = new Set(['app.name', 'answer.sql', 'settings.otherLanguage'])
  const left = [...chinese].filter(
    ([key, text]) => !same.has(key) && !/\p{Script=Han}/u.test(text.replace(/\{\{\w+\}\}/g, '')) && /\p{L}/u.test(text.replace(/\{\{\w+\}\}/g, '')),
  )
  expect(left).toEqual([])
})

test('every text is shown somewhere', () => {
  const folder = new URL('..', import.meta.url)
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (file) => /\.tsx?$/.test(file) && !file.startsWith('i18n') && !file.includes('.test.'),
  )
  const source = files.map((file) => readFileSync(new URL(file, folder), 'utf8')).join('\n')
  const literals = new Set([...source.matchAll(/'([a-z][a-zA-Z]*(?:\.[a-zA-Z-]+)+)'/g)].map(([, key]) => key))
  const templates = [...source.matchAll(/`([a-z][a-zA-Z]*\.[a-zA-Z.]*)\$\{[^}]+\}([a-zA-Z]*)`/g)].map(
    ([, before, after]) => new RegExp(`^${before?.replaceAll('.', '\\.')}[\\w-]+${after}$`),
  )
  const unused = [...english.keys()]
    .map((key) => key.replace(/_(one|other)$/, ''))
    .filter((key) => !literals.has(key) && !templates.some((template) => template.test(key)))
  expect(unused).toEqual([])
})
