import { readFileSync, readdirSync } from 'node:fs'
import { expect, test } from 'vitest'

/** The console's rules. A rule that gets in the way of good code is changed here, not dodged. */
const files = readdirSync(new URL('.', import.meta.url), { recursive: true, encoding: 'utf8' }).filter(
  (file) => /\.tsx?$/.test(file) && !file.includes('.test.'),
)
const sources = new Map(files.map((file) => [file, readFileSync(new URL(file, import.meta.url), 'utf8')]))

/** Which of our own folders a folder may import. A file at the top may import all of them. */
const mayImport: Record<string, readonly string[]> = {
  ui: [],
  timeline: [],
  i18n: [],
  api: ['timeline'],
  pages: ['api', 'i18n', 'timeline', 'ui'],
}
/** What everybody may import from the top. */
const top = ['paths']

/** `file:what` for each file outside `but` whose source has a match. */
function found(pattern: RegExp, but: readonly string[] = []): string[] {
  return [...sources].flatMap(([file, source]) =>
    but.some((start) => file.startsWith(start)) ? [] : [...source.matchAll(pattern)].map((match) => `${file}: ${match[0].trim()}`),
  )
}

function target(file: string, path: string): string {
  return new URL(path, `file:///${file}`).pathname.slice(1).replace(/\.tsx?$/, '')
}

test('imports follow the arrows: interface parts know no API and no address, the fold knows nothing of either', () => {
  const wrong = [...sources].flatMap(([file, source]) => {
    const [folder = '', inside] = file.split('/')
    if (inside === undefined) return []
    return [...source.matchAll(/(?:from |import )'(\.[^']+\.tsx?)'/g)].flatMap(([, path = '']) => {
      const to = target(file, path)
      const allowed =
        [folder, ...(mayImport[folder] ?? [])].some((one) => to.startsWith(`${one}/`)) || (folder !== 'ui' && folder !== 'timeline' && top.includes(to))
      return allowed ? [] : [`${file} imports ${to}`]
    })
  })
  expect(wrong).toEqual([])
})

test('addresses are made in paths.ts only', () => {
  expect(
    found(
      /href="\/|to="\/|['"`]\/(?:v1|chat|runs|attention|approvals|agents|schedules|models|budgets|system|sign-in|settings|audit|sandboxes|tools|memory)\b/g,
      ['paths.ts'],
    ),
  ).toEqual([])
})

test('the server is spoken to through the client only, and the key is kept in one place', () => {
  expect(found(/\bfetch\(/g, ['api/connection.ts'])).toEqual([])
  expect(found(/createClient\(/g, ['api/client.ts'])).toEqual([])
  expect(found(/longhaul\.key/g, ['api/key.ts'])).toEqual([])
})

test('nothing is put on the page as HTML, and nothing is evaluated', () => {
  expect(found(/dangerouslySetInnerHTML|\.innerHTML|insertAdjacentHTML|\beval\(|new Function/g, ['main.tsx'])).toEqual([])
})

test('colours, sizes of type and shadows have names', () => {
  expect(found(/#[0-9a-f]{3,8}\b|oklch\(|rgba?\(|\btext-\[\d/gi)).toEqual([])
})

test('no default exports, no any, no leftovers', () => {
  expect(found(/export default|: any\b|\bas any\b|console\.log|\.only\(|@ts-/g)).toEqual([])
})
