import pg from 'pg'
import { expect, test } from 'vitest'
import { parsers } from './values.ts'

test('instants are what the driver makes of them, in whatever form they come', () => {
  const oid = pg.types.builtins.TIMESTAMPTZ
  const driver = pg.types.getTypeParser(oid, 'text')
  for (const text of [
    '2026-11-28 04:37:19.123456+00',
    '2026-11-28 04:37:19.9999+00',
    '2026-11-28 04:37:19+00',
    '2026-11-28 04:37:19.5+05:30',
    '1969-12-31 23:59:59.999+00',
    '12026-01-01 00:00:00+00',
    '0044-03-15 12:00:00+00 BC',
    'infinity',
    '-infinity',
  ])
    expect(parsers[oid]?.(text)).toEqual(driver(text))
})
