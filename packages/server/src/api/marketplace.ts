import { installConnection, listMarketplace, publishConnection, reviewConnection, revokeConnection, uninstallConnection } from '@longhaul/protocol'
import type { Marketplace } from '../tools/index.ts'
import { type Implementation, implement } from './implement.ts'

export const marketplaceImplementations = (marketplace: Marketplace): Implementation[] => [
  implement(listMarketplace, async (caller, request) => ({ items: await marketplace.list(caller, request) })),
  implement(publishConnection, (caller, request) => marketplace.publish(caller, request)),
  implement(reviewConnection, (caller, request) => marketplace.review(caller, request)),
  implement(revokeConnection, (caller, request) => marketplace.revoke(caller, request)),
  implement(installConnection, (caller, request) => marketplace.install(caller, request)),
  implement(uninstallConnection, (caller, request) => marketplace.uninstall(caller, request)),
]
