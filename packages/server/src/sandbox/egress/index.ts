import type { Db } from '../../db/index.ts'
import type { Log } from '../../kernel/index.ts'
import type { PackageCache } from './package-cache.ts'
import { type EgressProxy, type ProxyOptions, openProxy } from './proxy.ts'
import { type Reach, publicReach } from './reach.ts'
import { createRecorder } from './recorder.ts'

export type { Door, EgressProxy, ProxyOptions } from './proxy.ts'
export { doorUrl } from './proxy.ts'
export { openPackageCache } from './package-cache.ts'
export type { PackageCache } from './package-cache.ts'
export { PackageRegistries } from './package-registries.ts'
export type { Reach } from './reach.ts'

export type EgressParts = { db: Db; log: Log; packages?: PackageCache | undefined; reach?: Reach | undefined }

/** Opens proxies that write down what goes through them. `reach` is another than the public one in tests alone. */
export function egressProxies({ db, log, packages, reach = publicReach }: EgressParts): (options: Omit<ProxyOptions, 'packages'>) => Promise<EgressProxy> {
  const recorder = createRecorder(db, log)
  return (options) => openProxy(reach, recorder, log, { ...options, packages })
}
