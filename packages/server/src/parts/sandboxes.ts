/** Where code that nobody reviewed runs: drivers, sandboxes of callers and of runs, and those that programs live in. */
import { join, resolve } from 'node:path'
import { sandboxSettings } from '../config.ts'
import type { Db } from '../db/index.ts'
import { defaultTenantId, imageQuotaOf, sandboxQuotasOf } from '../identity/index.ts'
import { type Images, openDataFolders, openHosted, openImages, openManaged, openPackageCache, openSandboxes } from '../sandbox/index.ts'
import type { Access } from './access.ts'
import type { Start } from './start.ts'

export type Sandboxing = Awaited<ReturnType<typeof startSandboxes>>

export async function startSandboxes({ config, log, dataDir, timed, started }: Start, db: Db, { tenants }: Access) {
  const dataFolders = openDataFolders(config.LONGHAUL_SANDBOX_FOLDERS ?? {}, dataDir)
  const rootFile = config.LONGHAUL_SANDBOX_ROOT && resolve(config.LONGHAUL_SANDBOX_ROOT)
  let opened: Images | undefined
  /** In a folder of the sandboxes’, so not before they have it to themselves. */
  const openedImages = (): Images =>
    (opened ??= openImages({
      folder: join(dataDir, 'sandboxes', '.images'),
      bytesMax: config.LONGHAUL_SANDBOX_IMAGE_MB * 1e6,
      registries: config.LONGHAUL_SANDBOX_IMAGE_REGISTRIES,
      quotaOf: imageQuotaOf(tenants),
      log,
    }))
  const sandboxes = await timed('sandbox', () =>
    openSandboxes({
      ...sandboxSettings(config, dataDir),
      policiesOf: async ({ tenantId, namespace }) => ({
        ...(await tenants.sandboxPolicies(tenantId, namespace)),
        sharesKernel: config.LONGHAUL_SANDBOX_SHARED_KERNEL === 'all' || tenantId === defaultTenantId,
      }),
      root: join(dataDir, 'sandboxes'),
      ownRoot: rootFile === undefined ? undefined : () => openedImages().holdRoot(rootFile),
      log,
    }),
  )
  await started('sandboxes', { stop: sandboxes.stop })
  const packages =
    config.LONGHAUL_SANDBOX_PACKAGE_CACHE_MB === 0
      ? undefined
      : await started(
          'packages of sandboxes',
          await openPackageCache({
            folder: join(dataDir, 'sandboxes', '.packages'),
            bytesMax: config.LONGHAUL_SANDBOX_PACKAGE_CACHE_MB * 1e6,
            registries: config.LONGHAUL_SANDBOX_PACKAGE_REGISTRIES,
            log,
          }),
        )
  const images = openedImages()
  await images.sweep()
  const managed = await started(
    'sandboxes of callers',
    openManaged({
      ...{ db, log, sandboxes, images, packages },
      blobFolder: join(dataDir, 'blobs'),
      countMax: config.LONGHAUL_SANDBOXES_PER_TENANT,
      diskBytesMax: config.LONGHAUL_SANDBOX_DISK_BYTES_PER_TENANT,
      quotasOf: sandboxQuotasOf(tenants),
      ttlMs: config.LONGHAUL_SANDBOX_TTL_MS,
      releaseMs: config.LONGHAUL_SANDBOX_RELEASE_MS,
      templateKeepMs: config.LONGHAUL_SANDBOX_TEMPLATE_KEEP_MS,
    }),
  )
  return { dataFolders, sandboxes, managed, images, hosted: openHosted({ db, log, sandboxes, packages }) }
}
