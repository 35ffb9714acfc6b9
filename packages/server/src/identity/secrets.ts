/** Secrets of tenants: set, used by the server on somebody's behalf, never shown again. */
import { join } from 'node:path'
import type { Secret } from '@longhaul/protocol'
import { type AuditNote, type Db, noteAudit } from '../db/index.ts'
import { AppError, type Log, secretBytes } from '../kernel/index.ts'
import { type MasterKeys, keyIdOf, open, rewrap, seal } from './envelope.ts'
import { type Caller, whoIs } from './keys.ts'
import * as store from './secret-store.ts'
import { openVault, type VaultOptions } from './kms.ts'
import { readKeyFile, readOrMake } from './signer.ts'
import { openWrappedKeys } from './wrapped-keys.ts'

export type Secrets = {
  /** What is not said of it stays as it was. */
  set(
    caller: Pick<Caller, 'tenantId' | 'name' | 'agents'> & { keyId: string | null },
    secret: {
      name: string
      value: string
      description?: string | undefined
      hosts?: string[] | undefined
      agents?: string[] | null | undefined
      /** Earlier versions are destroyed: they are worth nothing any more. */
      isOnly?: boolean
      /** The newest version that there may be. Throws `conflict` when somebody has set another meanwhile. */
      ifVersion?: number | undefined
    },
  ): Promise<Secret>
  /** The newest version, without its value. */
  find(tenantId: string, name: string): Promise<Secret | undefined>
  list(tenantId: string): Promise<Secret[]>
  versions(tenantId: string, name: string): Promise<Secret[]>
  delete(caller: Caller, name: string): Promise<Secret>
  /**
   * The value, for the server's own use in a call that it makes. Every use is in the audit log, with what for, before the value is returned.
   * It must not get into a prompt, a worker, a sandbox, the journal or the log.
   */
  use(tenantId: string, name: string, use: SecretUse): Promise<string>
  /** Puts everything under the current master key. Returns how many there were to do. */
  rewrapAll(): Promise<number>
}

export type SecretUse = {
  who: AuditNote['who']
  purpose: string
  runId?: string | undefined
  /** Why it may not be used so: then it is not, the refusal is in the audit log, and `forbidden` is thrown. */
  whyNot?(secret: Secret): string | undefined
}

/** Whoever is limited to agents has only secrets that are for those alone in their hands. */
function assertWithin({ agents: own }: Pick<Caller, 'agents'>, name: string, agents: readonly string[] | null): void {
  if (!own || (agents !== null && agents.every((agent) => own.includes(agent)))) return
  throw new AppError(
    'forbidden',
    `The secret ${name} is, or would be, for other agents too, and the caller is limited to these: ${own.join(', ')}. Name agents among them.`,
  )
}

const namesMax = 1_000
const versionsMax = 200

/** From the settings; without them from a file of mode 600 that is made at the first start. Whoever has the database alone has no secret. */
export async function openMasterKeys(dataDir: string, given: { current?: string | undefined; previous?: string | undefined }): Promise<MasterKeys> {
  const current = given.current ?? (await readOrMake(join(dataDir, 'master.key'), () => `${secretBytes(32).toString('base64')}\n`)).trim()
  return {
    current: toKey(current, 'LONGHAUL_MASTER_KEY or master.key'),
    previous: given.previous === undefined ? undefined : toKey(given.previous, 'LONGHAUL_MASTER_KEY_PREVIOUS'),
  }
}

/** Of a key service. What was encrypted before there was one is opened with the setting for the previous key, or with the file in the data folder. */
export async function openServiceKeys(
  dataDir: string,
  { previous, vault, since, ...parts }: { db: Db; log: Log; vault: VaultOptions; previous?: string | undefined; since?: string | undefined },
): Promise<MasterKeys> {
  const file = await readKeyFile(join(dataDir, 'master.key'))
  const earlier = [
    ...(previous === undefined ? [] : [toKey(previous, 'LONGHAUL_MASTER_KEY_PREVIOUS')]),
    ...(file === undefined ? [] : [toKey(file.trim(), 'master.key')]),
  ]
  return openWrappedKeys({ ...parts, kms: openVault(vault), earlier, since: since === undefined ? undefined : new Date(since) })
}

function toKey(text: string, where: string): Buffer {
  const key = Buffer.from(text, 'base64')
  if (key.length !== 32) throw new AppError('unavailable', `${where} must be 32 bytes in base64, such as \`openssl rand -base64 32\` prints.`)
  return key
}

export function openSecrets({ db, masterKeys, log }: { db: Db; masterKeys: MasterKeys; log: Log }): Secrets {
  const nameOf = (tenantId: string, name: string, version: number) => `${tenantId}/${name}/${version}`
  return {
    async set(caller, { name, value, description, hosts, agents, isOnly, ifVersion }) {
      return db.forTenant(caller.tenantId).transaction(async (tx) => {
        const next = await store.nextVersion(tx, name)
        if (ifVersion !== undefined && next.version !== ifVersion + 1) throw new AppError('conflict', `The secret ${name} was set meanwhile.`)
        if (next.version === 1 && (await store.countNames(tx)) >= namesMax) throw new AppError('over_limit', `A tenant has at most ${namesMax} secrets.`)
        const sealed = seal(masterKeys, value, nameOf(caller.tenantId, name, next.version))
        const about = {
          description: description ?? next.description,
          hosts: hosts ?? next.hosts,
          agents: agents === undefined ? next.agents : agents,
        }
        if (next.version > 1) assertWithin(caller, name, next.agents)
        assertWithin(caller, name, about.agents)
        const secret = { name, version: next.version, createdBy: caller.name, ...about }
        const set = await store.insertVersion(tx, secret, sealed)
        if (isOnly) await store.deleteEarlier(tx, name, set.version)
        await noteAudit(tx, { who: whoIs(caller), action: 'secrets.set', target: name, detail: { version: set.version, hosts: set.hosts, agents: set.agents } })
        return set
      })
    },
    find: (tenantId, name) => store.findNewest(db.forTenant(tenantId), name),
    list: (tenantId) => store.listSecrets(db.forTenant(tenantId), namesMax),
    async versions(tenantId, name) {
      const versions = await store.listVersions(db.forTenant(tenantId), name, versionsMax)
      if (versions.length === 0) throw new AppError('not_found', `No secret ${name}.`)
      return versions
    },
    async delete(caller, name) {
      return db.forTenant(caller.tenantId).transaction(async (tx) => {
        const deleted = await store.deleteSecret(tx, name)
        if (!deleted) throw new AppError('not_found', `No secret ${name}.`)
        assertWithin(caller, name, deleted.agents)
        await noteAudit(tx, { who: whoIs(caller), action: 'secrets.delete', target: name, detail: { version: deleted.version } })
        return deleted
      })
    },
    async use(tenantId, name, { who, purpose, runId, whyNot }) {
      const { sealed, refusal } = await db.forTenant(tenantId).transaction(async (tx) => {
        const secret = whyNot && (await store.findNewest(tx, name))
        const why = secret && whyNot?.(secret)
        const found = why === undefined ? await store.useNewest(tx, name) : undefined
        const outcome = why !== undefined ? 'refused' : found ? 'done' : 'failed'
        await noteAudit(tx, { who, action: 'secrets.use', target: name, outcome, detail: { purpose, version: found?.version, runId } })
        return { sealed: found, refusal: why }
      })
      if (refusal !== undefined) throw new AppError('forbidden', refusal)
      if (!sealed) throw new AppError('not_found', `No secret ${name}. Set it with: longhaul secrets set ${name}`)
      return open(masterKeys, sealed, nameOf(tenantId, name, sealed.version))
    },
    async rewrapAll() {
      let count = 0
      for (;;) {
        const done = await db.transaction(async (tx) => {
          const rows = await store.listWrappedOtherwise(tx, keyIdOf(masterKeys.current), 100)
          for (const row of rows) await store.updateWrapping(tx, { ...row, ...rewrap(masterKeys, row, nameOf(row.tenantId, row.name, row.version)) })
          return rows.length
        })
        count += done
        if (done === 0) break
      }
      if (count > 0) log.info('secrets are under the current master key now', { count, masterKeyId: keyIdOf(masterKeys.current) })
      return count
    },
  }
}
