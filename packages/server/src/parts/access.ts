/** Who may do what: tenants, keys, people, policies, secrets, and the log of it all. */
import { type Config, mailSettings, vaultSettings } from '../config.ts'
import type { Db } from '../db/index.ts'
import {
  fileTarget,
  isLoginToken,
  openAudit,
  openHeadShipping,
  openIdentities,
  openKeys,
  openMasterKeys,
  openPolicies,
  openSecrets,
  openServiceKeys,
  openSigner,
  openTenantKeys,
  openTenants,
  sha256,
  webhookTarget,
} from '../identity/index.ts'
import { wallClock } from '../kernel/index.ts'
import { openAgentMailer, openMailer, openOutbox } from '../mail/index.ts'
import { postWebhook } from '../outcomes/index.ts'
import { openEgress, parseHosts } from '../tools/index.ts'
import type { Start } from './start.ts'

export type Access = Awaited<ReturnType<typeof startAccess>>

export async function startAccess({ config, log, dataDir, started }: Start, db: Db) {
  const keys = await started('keys', openKeys({ db, log }))
  const tenants = openTenants({ db, keys, onChange: (tenantId) => identities.logins.forgetTenant(tenantId) })
  const policies = openPolicies({ db, log })
  const vault = vaultSettings(config)
  const previous = config.LONGHAUL_MASTER_KEY_PREVIOUS
  const masterKeys = vault
    ? await openServiceKeys(dataDir, { db, log, vault, previous, since: config.LONGHAUL_MASTER_KEY_SINCE })
    : await openMasterKeys(dataDir, { current: config.LONGHAUL_MASTER_KEY, previous })
  const secrets = openSecrets({ db, masterKeys, log })
  await secrets.rewrapAll()
  const tenantKeys = openTenantKeys({ db, masterKeys, log })
  await tenantKeys.rewrapAll()
  const providers = openEgress({ privateHosts: parseHosts(config.LONGHAUL_SSO_PRIVATE_HOSTS), setting: 'LONGHAUL_SSO_PRIVATE_HOSTS' })
  await started('way to sign-in providers', providers)
  const smtp = mailSettings(config)
  const outbox = openOutbox({ masterKey: masterKeys.current, isOn: smtp !== undefined })
  const identities = await started(
    'people',
    openIdentities({
      ...{ db, masterKeys, secrets, outbox, log },
      fetch: (url, init) => providers.fetch(url, init, { hosts: ['*'], bytesMax: 1_000_000 }),
      limits: { lifeMs: config.LONGHAUL_LOGIN_MS, idleMs: config.LONGHAUL_LOGIN_IDLE_MS, stepUpMs: config.LONGHAUL_STEP_UP_MS },
    }),
  )
  if (smtp) {
    await started('mail', openMailer({ db, log, outbox, recipientOf: identities.signIn.recipientOf, smtp }))
    await started('mails of agents', openAgentMailer({ db, log, smtp }))
  }
  const audit = await started('audit log', openAudit({ db, signer: await openSigner(dataDir), log }))
  const heads = await started(
    'heads of the audit log',
    openHeadShipping({ headsOf: audit.heads, targets: headTargets(config), everyMs: config.LONGHAUL_AUDIT_HEADS_EVERY_MS, log }),
  )
  return {
    ...{ keys, tenants, policies, secrets, tenantKeys, identities, audit, heads, smtp },
    stepUp: { ms: config.LONGHAUL_STEP_UP_MS, keys: config.LONGHAUL_STEP_UP_KEYS },
    authenticate: (secret: string, isUse = true) =>
      isLoginToken(secret) ? identities.logins.authenticate(secret, 'program', isUse) : keys.authenticate(secret),
  }
}

/** Where signed heads of the audit log go. */
function headTargets({
  LONGHAUL_AUDIT_HEADS_URL: url,
  LONGHAUL_AUDIT_HEADS_FILE: file,
  LONGHAUL_WEBHOOK_SECRET: secret = '',
  LONGHAUL_WEBHOOK_REACH: reach,
}: Config) {
  const post = (address: string) => (id: string, body: string) => postWebhook({ url: address, id, body, secret, reach, nowMs: wallClock().getTime() })
  return [...(file === undefined ? [] : [fileTarget(file)]), ...(url === undefined ? [] : [webhookTarget(url, sha256, post(url))])]
}
