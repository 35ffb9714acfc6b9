/** Which addresses a webhook may reach. Names lie, and change between a check and its use: what counts is the address that is connected to. */
import { type LookupAddress, lookup } from 'node:dns'
import { BlockList, isIP, isIPv6 } from 'node:net'
import type { LookupFunction } from 'node:net'

/** `public` only, or private networks as well, or this machine as well. */
export const webhookReaches = ['public', 'private', 'loopback'] as const
export type WebhookReach = (typeof webhookReaches)[number]

const listOf = (...ranges: string[]): BlockList => {
  const list = new BlockList()
  for (const range of ranges) {
    const [address = '', bits] = range.split('/')
    list.addSubnet(address, Number(bits), isIPv6(address) ? 'ipv6' : 'ipv4')
  }
  return list
}
const loopback = listOf('127.0.0.0/8', '::1/128')
const privateNetworks = listOf('10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7')
/** Nobody's business, whatever is set: among them are the addresses at which clouds give machines their credentials. */
const never = listOf(
  '0.0.0.0/8',
  '169.254.0.0/16',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/128',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  'fe80::/10',
  'ff00::/8',
)

/** Why the address may not be reached; undefined when it may. */
export function whyUnreachable(address: string, reach: WebhookReach): string | undefined {
  const mapped = /^::ffff:(?:0:)?(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return whyUnreachable(mapped, reach)
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
  // Written in another way than the one above: it stands for an IPv4 address as well.
  if (family === 'ipv6' && new RegExp('^(0*:)*:?ffff:', 'i').test(address)) return `${address} stands for another address`
  if (isIP(address) === 0 || never.check(address, family)) return `${address} is an address that no webhook may reach`
  if (loopback.check(address, family)) return reach === 'loopback' ? undefined : `${address} is this machine, which LONGHAUL_WEBHOOK_REACH=${reach} leaves out`
  if (privateNetworks.check(address, family))
    return reach !== 'public' ? undefined : `${address} is in a private network, which LONGHAUL_WEBHOOK_REACH=public leaves out`
  return undefined
}

export class Unreachable extends Error {
  override readonly name = 'Unreachable'
}

/** Resolves names for a connection, and refuses what may not be reached: so the address that was looked at is the one that is connected to. */
export const guardedLookup =
  (reach: WebhookReach, resolve: typeof lookup = lookup): LookupFunction =>
  (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      if (error) return callback(error, [])
      const refused = addresses.map(({ address }) => whyUnreachable(address, reach)).find((why) => why !== undefined)
      if (refused !== undefined || addresses.length === 0) return callback(new Unreachable(`${hostname}: ${refused ?? 'it has no address'}.`), [])
      const [first] = addresses
      if (options.all) callback(null, addresses)
      else if (first) callback(null, first.address, first.family)
    })
  }

/** An address that is written out is resolved by nobody, so it is looked at here. */
export function assertReachable(url: URL, reach: WebhookReach): void {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const why = isIP(host) === 0 ? undefined : whyUnreachable(host, reach)
  if (why !== undefined) throw new Unreachable(`${why}.`)
}
