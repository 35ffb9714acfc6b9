import { expect, test } from 'vitest'
import { mentionsLimit, numbersIn, numbersPresented, refuses } from './sentence.ts'

const values = (text: string) => numbersIn(text).map(({ value }) => value)

test('numbers are read with separators, currencies, signs and magnitudes in both languages', () => {
  expect(values('ARR was $48.2 million, up 12% from 1,234,567.50; churn −3.5%')).toEqual([48_200_000, 12, 1_234_567.5, -3.5])
  expect(values('$3.2B and 4k users, 5 bn')).toEqual([3.2e9, 4_000, 5e9])
  expect(values('收入为1,234万元，客户3.5亿，增长12％，共42个')).toEqual([12_340_000, 350_000_000, 12, 42])
  expect(values('between 10-20 of them')).toEqual([10, 20])
})

test('dates, quarters, fiscal years and names are not numbers', () => {
  expect(values('On 2026-09-30, in Q3 2026 (2026-Q3, FY2027, Q3 FY2027), 30 September 2026, Sep 30, 2026, plan A1 v2 and the 3rd')).toEqual([])
  expect(values('2026年9月30日、2026年第3季度、9月')).toEqual([])
})

test('a refusal begins with it in English and holds it in Chinese', () => {
  for (const text of [
    "I can't answer that offline.",
    'I can’t answer that offline: the warehouse holds no weather.',
    'I cannot answer this question.',
    "Sorry, I can't answer that.",
    "I'm sorry, but I am unable to answer.",
    'I am not able to tell.',
    "I can't reliably answer that.",
    'This question cannot be answered from the warehouse.',
    '离线时我无法回答这个问题。',
    '抱歉，我不能回答。',
    '仓库没有天气数据，因此无法给出答案。',
    '没有办法回答',
  ])
    expect(refuses(text), text).toBe(true)
  for (const text of [
    "ARR was $3 million. I can't answer for next year.",
    'Revenue cannot be compared, but it was 5.',
    'We could not have answered faster.',
    '客户无法登录的工单有12个。',
    'The answer is 7.',
    '',
  ])
    expect(refuses(text), text).toBe(false)
})

test('a number presented as an answer is seen; dates, years, small counts and what was asked are not', () => {
  const presented = (text: string, question = '') => numbersPresented(text, question).map(({ text: number }) => number)
  expect(presented("I can't answer that, but it is about $5.")).toEqual(['$5'])
  expect(presented('无法回答，大约是 3.2 万。')).toEqual(['3.2'])
  expect(presented("I can't answer that; perhaps 1,250 of them.")).toEqual(['1,250'])
  expect(presented("I can't answer that: the data covers 3 years, 2023-11-01 to 2026-11-18, since 2023.")).toEqual([])
  expect(presented("I can't answer what 5000 customers want.", 'What do our 5000 customers want?')).toEqual([])
})

test('a limit is mentioned by its regions, or in Chinese by its word, and personal data by its name', () => {
  expect(mentionsLimit('ARR is 5. You may only see Europe and Asia Pacific.', { regions: ['Europe', 'Asia Pacific'] })).toBe(true)
  expect(mentionsLimit('结果仅限欧洲。', { regions: ['Europe'] })).toBe(true)
  expect(mentionsLimit('Personal data (names of people) are withheld from the caller.', { personalData: false })).toBe(true)
  expect(mentionsLimit('Your access leaves out personal data.', { personalData: false })).toBe(true)
  expect(mentionsLimit('Limited to Europe.', { regions: ['Europe', 'Asia Pacific'] })).toBe(false)
  expect(mentionsLimit('ARR in Europe is 5.', { regions: ['Europe'] })).toBe(false)
  expect(mentionsLimit('结果是欧洲 5。', { regions: ['Europe'] })).toBe(false)
  expect(mentionsLimit('Limited to Europe.', { regions: ['Europe'], personalData: false })).toBe(false)
})
