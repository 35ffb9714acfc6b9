/** Which addresses the proxy may dial: public ones that are not our own. */
import { BlockList, isIP } from 'node:net'
import { networkInterfaces } from 'node:os'

/** Private, local, shared, documentation, multicast, and everything that carries an IPv4 address inside an IPv6 one (IANA's special-purpose registries). */
const v4 = ['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.31.196.0/24', '192.52.193.0/24', '192.88.99.0/24', '192.168.0.0/16', '192.175.48.0/24', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'] // prettier-ignore
/** Of IPv6 only global unicast may pass; within it these may not: Teredo and its neighbours, ORCHID, documentation, 6to4, SRv6. */
const v6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20', '5f00::/16']

const refused = new BlockList()
for (const [ranges, family] of [
  [v4, 'ipv4'],
  [v6, 'ipv6'],
] as const) {
  for (const range of ranges) {
    const [address = '', bits] = range.split('/')
    refused.addSubnet(address, Number(bits), family)
  }
}
const globalUnicast = new BlockList()
globalUnicast.addSubnet('2000::', 3, 'ipv6')

/** True for what a sandbox must never reach through us. Anything that is no address is refused too. */
export function isRefused(address: string, own: ReadonlySet<string> = ownAddresses()): boolean {
  const family = isIP(address)
  if (family === 4) return refused.check(address, 'ipv4') || own.has(address)
  if (family !== 6 || address.includes('%')) return true
  // Mapped, compatible, NAT64, link-local, unique local, loopback: all of these lie outside global unicast.
  return !globalUnicast.check(address, 'ipv6') || refused.check(address, 'ipv6') || own.has(address)
}

/** Addresses of this machine, public ones among them: what listens there trusts whoever is here. */
export function ownAddresses(): Set<string> {
  return new Set(Object.values(networkInterfaces()).flatMap((each) => (each ?? []).map(({ address }) => address)))
}
