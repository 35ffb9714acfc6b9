import { expect, test } from 'vitest'
import { normalDate, numberOf, sameCell } from './cells.ts'

const same = (truth: Parameters<typeof sameCell>[0], given: Parameters<typeof sameCell>[1], tolerance = 0.005) => sameCell(truth, given, tolerance)

test('numbers are equal within the tolerance relative to the truth, also when written as text', () => {
  expect([
    same(1000, 1004.9),
    same(1000, 995.1),
    same(1000, '1,004'),
    same('1000', 1003),
    same(0, 0),
    same(-200, -199.5),
    same(12, '12%'),
    same(1e6, '$1,000,000'),
    same(0.1 + 0.2, 0.3, 0),
  ]).toEqual(Array(9).fill(true))
  expect([
    same(1000, 1005.1),
    same(1000, 994),
    same(0, 0.1),
    same(200, -200),
    same(12, 'twelve'),
    same(12, '12 customers'),
    same(100, 1000),
    same(1, 1.01, 0.001),
  ]).toEqual(Array(8).fill(false))
})

test('text is equal without regard to case, width and spaces; two texts are never compared as numbers', () => {
  expect([same('North America', ' north  america'), same('ＥＭＥＡ', 'emea'), same('亚太', '亚太'), same('2026', 2026), same('true', true)]).toEqual(
    Array(5).fill(true),
  )
  expect([same('EMEA', 'APAC'), same('1000', '1003'), same('001', '1'), same('a', null)]).toEqual(Array(4).fill(false))
})

test('nothing equals nothing, and only nothing', () => {
  expect([same(null, null), same(null, ''), same(null, '–')]).toEqual([true, true, true])
  expect([same(null, 0), same(0, null), same('', 0), same(null, 'x')]).toEqual([false, false, false, false])
})

test('dates are equal however they are written', () => {
  expect(
    ['2026-09-01', '2026-09', '2026/9/1', '2026-09-01T00:00:00.000Z', '2026-09-01 00:00:00', '2026年9月', '2026年9月1日'].map((text) => normalDate(text)),
  ).toEqual(Array(7).fill('2026-09'))
  expect(['2026-q3', '2026 q3', '2026q3', 'q3 2026', '2026年第三季度', '2026年3季度'].map((text) => normalDate(text))).toEqual(Array(6).fill('2026-q3'))
  expect(['2026-09-02', '2026-09-01 10:00', 'today', '2026'].map((text) => normalDate(text))).toEqual(['2026-09-02', undefined, undefined, undefined])
  expect(same('2026-09-01', '2026-09-02')).toBe(false)
})

test('a text is a number only as a whole', () => {
  expect(['1,234.50', '-5', '−5', '¥1,200', '12 %', '1e3', 'Q3', '1,23', '12 customers', '', 'Infinity'].map((text) => numberOf(text))).toEqual([
    1234.5,
    -5,
    -5,
    1200,
    12,
    1000,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ])
})
