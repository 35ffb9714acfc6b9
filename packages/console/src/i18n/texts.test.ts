import { expect, test } from 'vitest'
import { en } from './en.ts'
import { zh } from './zh.ts'

type Tree = { readonly [key: string]: string | Tree }
const flat = (tree: Tree, path = ''): [string, string][] => Object.entries(tree).flatMap(([key, value]) => (typeof value === 'string' ? [[path + key, value] as [string, string]] : flat(value, `${path}${key}.`)))
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
  const left = [...chinese].filter(([key, text]) => !same.has(key) && !/\p{Script=Han}/u.test(text.replace(/\{\{\w+\}\}/g, '')) && /\p{L}/u.test(text.replace(/\{\{\w+\}\}/g, '')))
  expect(left).toEqual([])
})
