import { BlockList, isIP } from 'node:net'

/** IPv4 ranges that are not the public internet: this host, private and shared networks, link-local (cloud metadata), documentation, multicast. */
const notPublic4 = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const)
  notPublic4.addSubnet(network, prefix, 'ipv4')

/** Of IPv6 only 2000::/3 is given out. So mapped, translated (64:ff9b::/96), unique local and link-local addresses are out without being listed. */
const given6 = new BlockList()
given6.addSubnet('2000::', 3, 'ipv6')
/** Inside it: protocols (Teredo among them), documentation, and 6to4, which hides an IPv4 address. */
const notPublic6 = new BlockList()
for (const [network, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  notPublic6.addSubnet(network, prefix, 'ipv6')

/** Whether an address is one of the public internet. False for what is no address. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return !notPublic4.check(address, 'ipv4')
  return family === 6 && !address.includes('%') && given6.check(address, 'ipv6') && !notPublic6.check(address, 'ipv6')
}
