import { expect, test } from 'vitest'
import { type WebhookReach, Unreachable, assertReachable, guardedLookup, whyUnreachable } from './addresses.ts'

const reaches = (address: string) => (['public', 'private', 'loopback'] as const).filter((reach) => whyUnreachable(address, reach) === undefined)

test.each<[string, WebhookReach[]]>([
  ['93.184.216.34', ['public', 'private', 'loopback']],
  ['2606:2800:220:1:248:1893:25c8:1946', ['public', 'private', 'loopback']],
  ['10.1.2.3', ['private', 'loopback']],
  ['172.16.0.1', ['private', 'loopback']],
  ['172.32.0.1', ['public', 'private', 'loopback']],
  ['192.168.255.255', ['private', 'loopback']],
  ['100.64.0.1', ['private', 'loopback']],
  ['fd00::1', ['private', 'loopback']],
  ['127.0.0.1', ['loopback']],
  ['127.255.255.254', ['loopback']],
  ['::1', ['loopback']],
  ['::ffff:127.0.0.1', ['loopback']],
  ['::ffff:10.0.0.1', ['private', 'loopback']],
  ['::ffff:7f00:1', []],
  ['0:0:0:0:0:ffff:a9fe:a9fe', []],
  ['169.254.169.254', []],
  ['::ffff:169.254.169.254', []],
  ['0.0.0.0', []],
  ['::', []],
  ['fe80::1', []],
  ['fe80::1%eth0', []],
  ['64:ff9b::a9fe:a9fe', []],
  ['2002:7f00:1::', []],
  ['224.0.0.1', []],
  ['255.255.255.255', []],
  ['ff02::1', []],
  ['not an address', []],
])('%s may be reached by %j', (address, expected) => {
  expect(reaches(address)).toEqual(expected)
})

type Found = { address: string; family: number }[]
const look = (reach: WebhookReach, found: Found, all = false) =>
  new Promise<unknown>((resolve) =>
    guardedLookup(reach, ((_: string, __: object, done: (error: null, found: Found) => void) => done(null, found)) as never)(
      'name.test',
      { all },
      (error, address) => resolve(error instanceof Unreachable ? error.message : (error ?? address)),
    ),
  )

test('a name is reached only when all of its addresses may be, and under the address that was looked at', async () => {
  const fine = { address: '93.184.216.34', family: 4 }
  const bad = { address: '10.0.0.1', family: 4 }
  expect(await look('public', [fine])).toBe('93.184.216.34')
  expect(await look('public', [fine], true)).toEqual([fine])
  expect(await look('public', [fine, bad])).toMatch(/name\.test: 10\.0\.0\.1 is in a private network, which LONGHAUL_WEBHOOK_REACH=public leaves out/)
  expect(await look('private', [bad])).toBe('10.0.0.1')
  expect(await look('public', [])).toBe('name.test: it has no address.')
})

test.each(['http://127.0.0.1/', 'http://[::1]:80/', 'http://2130706433/', 'http://0x7f.1/', 'http://[::ffff:127.0.0.1]/', 'http://169.254.169.254/latest'])(
  '%s is refused however it is written',
  (url) => {
    expect(() => assertReachable(new URL(url), 'public')).toThrow(Unreachable)
  },
)
test('an address that may be reached is not refused', () => {
  expect(() => assertReachable(new URL('https://93.184.216.34/hook'), 'public')).not.toThrow()
  expect(() => assertReachable(new URL('http://127.0.0.1:9/'), 'loopback')).not.toThrow()
})
