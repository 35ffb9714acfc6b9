/** Callers' own sandboxes, real ones, on a real database, in this process. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { createSandbox } from '@longhaul/protocol'
import type { z } from 'zod'
import { newId, silentLog } from '../../src/kernel/index.ts'
import { gapNames, openImages, openManaged, openSandboxes, type Registries, type SandboxCaller, type SandboxesOptions } from '../../src/sandbox/index.ts'
import { type PackageRegistries, type Reach, openPackageCache } from '../../src/sandbox/egress/index.ts'
import { makeDatabase } from './postgres.ts'

/** What they run in where a test does not say: `npm run verify -- gvisor` has the same tests tried with a kernel of their own. */
export const bedDriver = process.env['SANDBOX_DRIVER'] === 'gvisor' ? 'gvisor' : 'bwrap'

export type BedOptions = {
  driver?: 'bwrap' | 'gvisor' | 'virtual'
  others?: SandboxesOptions['others']
  policiesOf?: SandboxesOptions['policiesOf']
  reach?: Reach
  /** Files of packages are kept in `<folder>/packages`. */
  packages?: { bytesMax: number; registries: PackageRegistries }
  registries?: Registries
  imageQuota?: { countMax?: number; bytesMax?: number }
  poolSize?: number
  countMax?: number
  diskBytesMax?: number
  releaseMs?: number
  templateKeepMs?: number
  everyMs?: number
  root?: string
}

export async function openManagedBed(options: BedOptions = {}) {
  const {
    driver = bedDriver,
    reach,
    poolSize = 0,
    countMax = 50,
    diskBytesMax = 1e10,
    releaseMs = 3_600_000,
    templateKeepMs = 3_600_000,
    everyMs = 3_600_000,
  } = options
  const database = await makeDatabase()
  const folder = mkdtempSync(join(tmpdir(), 'longhaul-managed-'))
  const openParts = async () => {
    const sandboxes = await openSandboxes({
      ...{ driver, root: join(folder, 'sandboxes'), log: silentLog, poolSize, accept: gapNames },
      ...(options.others && { others: options.others }),
      ...(options.policiesOf && { policiesOf: options.policiesOf }),
    })
    const packages =
      options.packages && (await openPackageCache({ ...options.packages, folder: join(folder, 'packages'), log: silentLog, ...(reach && { reach }) }))
    const images = openImages({
      ...{ folder: join(folder, 'sandboxes', '.images'), bytesMax: 500_000_000, log: silentLog },
      ...(options.registries && { registries: options.registries }),
      ...(options.imageQuota && { quotaOf: async () => options.imageQuota ?? {} }),
    })
    const managed = openManaged({
      images,
      packages,
      db: database.db,
      log: silentLog,
      sandboxes,
      blobFolder: join(folder, 'blobs'),
      countMax,
      diskBytesMax,
      ttlMs: 3_600_000,
      releaseMs,
      templateKeepMs,
      everyMs,
      ...(reach && { reach }),
    })
    await managed.start()
    return { sandboxes, managed, packages, images }
  }
  let parts = await openParts()
  const close = async () => {
    await parts.managed.stop()
    await parts.packages?.stop()
    await parts.sandboxes.stop()
  }
  return {
    db: database.db,
    folder,
    get service() {
      return parts.managed.service
    },
    get images() {
      return parts.images
    },
    get templates() {
      return parts.managed.templates
    },
    get runs() {
      return parts.managed.runs
    },
    wake: () => parts.managed.wake(),
    /** Stops it and starts it anew, on the same folder and database. */
    async restart() {
      await close()
      parts = await openParts()
    },
    async [Symbol.asyncDispose]() {
      await close()
      await database[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export type ManagedBed = Awaited<ReturnType<typeof openManagedBed>>

export const makeCaller = (tenantId = 'acme', isLimited = false): SandboxCaller => {
  const keyId = newId()
  return { tenantId, keyId, askerId: isLimited ? keyId : undefined }
}

export const create = (bed: ManagedBed, caller: SandboxCaller, input: Partial<z.output<typeof createSandbox.input>> = {}) =>
  bed.service.create(caller, { ifExists: 'fail', ...input })

export const script = (bed: ManagedBed, caller: SandboxCaller, sandbox: string, text: string, timeoutMs = 30_000) =>
  bed.service.exec(caller, sandbox, { script: text, timeoutMs })
