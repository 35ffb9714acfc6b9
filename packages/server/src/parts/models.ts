/** The one door to all models: who answers, what it costs, what is looked at on the way. */
import { modelSettings } from '../config.ts'
import type { Db } from '../db/index.ts'
import {
  gatewayOver,
  moderateWith,
  openAnswerStore,
  openAnswers,
  openCallLog,
  openEmbedder,
  openGuardrails,
  openModels,
  openRoutes,
  openTenantProviders,
} from '../gateway/index.ts'
import { openMoney } from '../gateway/money/index.ts'
import { offlinePlanner } from '../gateway/offline/index.ts'
import type { Access } from './access.ts'
import type { Start } from './start.ts'

export type Modelling = Awaited<ReturnType<typeof startModels>>

export async function startModels({ config, log, started }: Start, db: Db, { secrets, tenantKeys }: Access) {
  const routes = openRoutes({ db, log, whyNotModel: (tenantId, model) => models.whyNot(tenantId, model) })
  const settings = modelSettings(config)
  const tenantProviders = openTenantProviders({ db, secrets, baseUrls: settings.baseUrls, awsRegion: settings.awsRegion, log })
  const models = openModels({ ...settings, offline: offlinePlanner(), pickTargets: routes.pick, tenantProviders: tenantProviders.of, log })
  const money = await started('money', openMoney({ db, log }))
  const guardrails = await started('guardrails', openGuardrails({ db, log, moderate: moderateWith(models, money) }))
  const answers = await started('kept answers', openAnswers({ store: await openAnswerStore(config.LONGHAUL_MODEL_CACHE, { db, log }), log }))
  const callLog = await started('log of model calls', openCallLog({ db, keys: tenantKeys, log }))
  return {
    ...{ routes, tenantProviders, models, money, guardrails, answers, callLog },
    gateway: gatewayOver(models, guardrails, answers),
    embed: openEmbedder({ models, money }),
  }
}
