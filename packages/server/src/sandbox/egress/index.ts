import type { Db } from '../../db/index.ts'
import type { Log } from '../../kernel/index.ts'
import { type EgressProxy, type ProxyOptions, openProxy } from './proxy.ts'
import { type Reach, publicReach } from './reach.ts'
import { createRecorder } from './recorder.ts'

export type { Door, EgressProxy, ProxyOptions } from './proxy.ts'
export { doorUrl } from './proxy.ts'
export type { Reach } from './reach.ts'

/** Opens proxies that write down what goes through them. `reach` is another than the public one in tests alone. */
export function egressProxies({ db, log, reach = publicReach }: { db: Db; log: Log; reach?: Reach }): (options: ProxyOptions) => Promise<EgressProxy> {
  const recorder = createRecorder(db, log)
  return (options) => openProxy(reach, recorder, log, options)
}
