/** What is found in texts, and what only looks like it. */
import { personalKinds } from '@longhaul/protocol'
import { describe, expect, test } from 'vitest'
import { monotonicMs } from '../../kernel/index.ts'
import { type TextGuard, judgeTexts } from './judge.ts'
import { openMask } from './mask.ts'
import { findPersonal } from './personal.ts'
import { findSecrets } from './secrets.ts'
import { findWords } from './words.ts'

const personal = (text: string) => findPersonal(text, personalKinds).map(({ kind, start, end }) => `${kind} ${text.slice(start, end)}`)

describe('personal data', () => {
  test.each([
    ['Write to ann.lee+news@mail.example.co.uk.', 'email ann.lee+news@mail.example.co.uk'],
    ['邮箱是zhang@example.cn，谢谢', 'email zhang@example.cn'],
    ['邮箱 zhang＠example．cn', 'email zhang＠example．cn'],
    ['Call +44 20 7946 0958 now', 'phone +44 20 7946 0958'],
    ['Call (415) 555-0132.', 'phone (415) 555-0132'],
    ['手机13812345678。', 'phone 13812345678'],
    ['手机 138 1234 5678', 'phone 138 1234 5678'],
    ['电话：＋８６１３８１２３４５６７８', 'phone ＋８６１３８１２３４５６７８'],
    ['办公室 010-62345678', 'phone 010-62345678'],
    ['Card 4111 1111 1111 1111 12/27', 'card 4111 1111 1111 1111'],
    ['Card 4111-1111-1111-1111', 'card 4111-1111-1111-1111'],
    ['IBAN DE89 3704 0044 0532 0130 00 please', 'iban DE89 3704 0044 0532 0130 00'],
    ['gb29nwbk60161331926819', 'iban gb29nwbk60161331926819'],
    ['身份证11010519491231002X号', 'national-id 11010519491231002X'],
    ['SSN 536-90-4399', 'national-id 536-90-4399'],
    ['NINO AB 12 34 56 C', 'national-id AB 12 34 56 C'],
    ['DNI 12345678Z', 'national-id 12345678Z'],
    ['CPF 529.982.247-25', 'national-id 529.982.247-25'],
  ])('%s', (text, found) => expect(personal(text)).toEqual([found]))

  test.each([
    'Card 4111 1111 1111 1112', // the last digit is wrong
    'IBAN DE88 3704 0044 0532 0130 00',
    '身份证110105194912310021',
    'DNI 12345678A',
    'CPF 529.982.247-24',
    'Order 12812345678', // no such prefix
    'at 1700000000000 ms',
    'id 0192f0c1-7a3b-7def-8123-456789abcdef',
    'version 10.20.30.40, 2026-11-27, 14:33:28',
    'user@localhost',
  ])('nothing in: %s', (text) => expect(personal(text)).toEqual([]))

  test('only the kinds that were asked for', () => {
    expect(findPersonal('a@b.example +44 20 7946 0958', ['phone'])).toHaveLength(1)
  })

  test('the time grows with the text, whatever stands in it', () => {
    for (const piece of ['a@', '1 ', '1-', 'DE12 ', 'a.b', '(415) ', '+1 2 ', '-----BEGIN PRIVATE KEY', 'eyJaaaaaaaaaaaa.']) {
      const text = piece.repeat(Math.ceil(200_000 / piece.length))
      const startedAt = monotonicMs()
      findPersonal(text, personalKinds)
      findSecrets(text)
      expect(monotonicMs() - startedAt, piece).toBeLessThan(3_000)
    }
  })
})

test.each([
  ['anthropic', `sk-ant-api03-${'a1'.repeat(20)}`],
  ['openai', `sk-proj-${'a1'.repeat(20)}`],
  ['aws', `AKIA${'IOSFODNN7EXAMPLE'.slice(0, 12)}ABCD`],
  ['github', `ghp_${'a1'.repeat(18)}`],
  ['google', `AIza${'a'.repeat(35)}`],
  ['slack', `xoxb-${'1'.repeat(12)}-abc`],
  ['stripe', `sk_live_${'a1'.repeat(12)}`],
  ['longhaul', `lh_${'a1'.repeat(16)}`],
  ['jwt', `eyJ${'a'.repeat(12)}.eyJ${'b'.repeat(12)}.${'c'.repeat(12)}`],
  ['address-with-password', 'postgres://app:hunter2@db.example/x'],
  ['private-key', '-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----'],
])('a secret: %s', (kind, secret) => {
  expect(findSecrets(`before ${secret} behind`).map((found) => found.kind)).toEqual([kind])
  expect(findSecrets(`sk-short, AKIA, lh_, ghp_nothing, https://example.com/a@b`)).toEqual([])
})

test('words are whole, in any case; those of scripts without spaces anywhere', () => {
  expect(findWords('PROJECT  heron and projects', ['project heron', 'project'])).toHaveLength(1)
  expect(findWords('herons', ['heron'])).toEqual([])
  expect(findWords('这是苍鹭计划的内容', ['苍鹭计划'])).toHaveLength(1)
  expect(findWords('a.c abc', ['a.c'])).toMatchObject([{ start: 0 }])
})

describe('a mask', () => {
  test('is the same for the same, and gives back what it took', () => {
    const mask = openMask('a@x.example b@x.example')
    expect([mask.hide('email', 'a@x.example'), mask.hide('email', 'b@x.example'), mask.hide('email', 'a@x.example')]).toEqual([
      '[EMAIL_1]',
      '[EMAIL_2]',
      '[EMAIL_1]',
    ])
    expect(mask.restore('To [EMAIL_2], not [EMAIL_1] or [EMAIL_3]')).toBe('To b@x.example, not a@x.example or [EMAIL_3]')
  })
  test('does not use what the request has already', () => {
    const mask = openMask('Explain [EMAIL_1] to a@x.example')
    expect(mask.hide('email', 'a@x.example')).toBe('[EMAIL_2]')
    expect(mask.restore('[EMAIL_1]')).toBe('[EMAIL_1]')
  })
  test('knows what may go on', () => {
    const mask = openMask('')
    mask.hide('email', 'a@x.example')
    expect(['Hi [', 'Hi [EMA', 'Hi [EMAIL_1', 'Hi [EMAIL_1]', 'Hi [1', 'Hi'].map(mask.openEnd)).toEqual([1, 4, 8, 0, 0, 0])
  })
})

describe('where it stands', () => {
  const guard: TextGuard = { type: 'personal', kinds: [...personalKinds], on: 'request', action: 'mask' }
  const judge = (value: unknown) => judgeTexts(value, guard, { side: 'request', hide: () => '[X]' })
  test('within JSON in a text, also behind escapes', () => {
    const escaped = String.raw`{"to":"a\u0040x.example","n":1}`
    expect(judge({ arguments: escaped }).value).toEqual({ arguments: '{"to":"[X]","n":1}' })
  })
  test('as a number, where somebody said it; a setting is none', () => {
    expect(judge({ messages: [{ content: [{ input: { phone: 13_812_345_678 } }] }], seed: 13_812_345_678 }).value).toEqual({
      messages: [{ content: [{ input: { phone: '[X]' } }] }],
      seed: 13_812_345_678,
    })
  })
  test('in a name or as a key it cannot be replaced, and that is said', () => {
    expect(judge([{ name: 'a@x.example' }]).stuckIn).toBe('name')
    expect(judge({ 'a@x.example': 1 }).stuckIn).toBe('name')
    expect(judge({ signature: 'a@x.example' })).toMatchObject({ stuckIn: undefined, found: {} })
  })
})
