import type { SandboxInfo } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { statsQuery } from '../../api/sandboxes.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { cx } from '../../ui/cx.ts'
import { formatBytes, formatDuration, formatNumber } from '../../ui/format.ts'
import { StateIcon } from '../../ui/State.tsx'
import { AppLink } from '../AppLink.tsx'
import { Ago } from '../Moment.tsx'

/** What it is, what it uses of what it may, and what this host does not hold it to. */
export function SandboxFacts({ sandbox }: { sandbox: SandboxInfo }) {
  const { t, locale } = useTexts()
  const { data: stats } = useQuery({ ...statsQuery(sandbox.id), enabled: sandbox.state === 'active' })
  const { limits, madeFrom } = sandbox
  const bytes = (value: number) => formatBytes(value, locale)
  const count = (value: number) => formatNumber(value, locale)
  return (
    <>
      <dl className="mb-4 grid grid-cols-2 gap-x-8 gap-y-3 border-y border-line py-3 text-sm sm:grid-cols-3 lg:grid-cols-6">
        <Fact name={t('sandboxes.memory')}>
          <Of used={stats?.memoryBytes} max={limits.memoryBytesMax} say={bytes} />
        </Fact>
        <Fact name={t('sandboxes.processes')}>
          <Of used={stats?.processCount} max={limits.processCountMax} say={count} />
        </Fact>
        <Fact name={t('sandboxes.disk')}>
          <Of used={stats?.diskBytes ?? sandbox.diskBytes} max={limits.diskBytesMax} say={bytes} />
        </Fact>
        <Fact name={t('sandboxes.files')}>
          <Of used={stats?.fileCount} max={limits.fileCountMax} say={count} />
        </Fact>
        <Fact name={t('sandboxes.cpu')}>{stats && stats.cpuMs !== null ? formatDuration(stats.cpuMs, locale) : '–'}</Fact>
        <Fact name={t('sandboxes.driver')}>
          <span className="font-mono text-xs">{sandbox.driver}</span> <span className="text-ink-2">{t(`sandboxes.kernels.${sandbox.kernel}`)}</span>
        </Fact>
        <Fact name={t('sandboxes.madeFrom')}>
          {madeFrom.sandboxId ? (
            <AppLink href={paths.sandbox(madeFrom.sandboxId)} className="block truncate font-mono text-xs hover:underline">
              {madeFrom.sandboxId}
            </AppLink>
          ) : madeFrom.snapshotId ? (
            <span className="block truncate font-mono text-xs">{madeFrom.snapshotId}</span>
          ) : (
            t('sandboxes.emptyFolder')
          )}
        </Fact>
        <Fact name={t('sandboxes.made')}>
          <Ago at={sandbox.createdAt} />
        </Fact>
        <Fact name={t('sandboxes.used')}>
          <Ago at={sandbox.usedAt} />
        </Fact>
        <Fact name={t('sandboxes.expires')}>{sandbox.state === 'stopped' ? '–' : <Ago at={sandbox.expiresAt} />}</Fact>
        <Fact name={t('sandboxes.image')} isWide={sandbox.image !== null}>
          {sandbox.image === null ? t('sandboxes.noImage') : <span className="block font-mono text-xs break-all">{sandbox.image}</span>}
        </Fact>
        <Fact name={t('sandboxes.id')} isWide>
          <span className="block truncate font-mono text-xs">{sandbox.id}</span>
        </Fact>
      </dl>
      {sandbox.notEnforced.length > 0 && (
        <ul aria-label={t('sandboxes.notEnforced')} className="mb-4 space-y-1 text-sm text-ink-2">
          {sandbox.notEnforced.map((what) => (
            <li key={what} className="flex gap-2">
              <StateIcon tone="warn" className="mt-0.5" />
              <span>
                {t('sandboxes.notEnforcedHere')} {what}
              </span>
            </li>
          ))}
        </ul>
      )}
    </>
  )
}

function Fact({ name, isWide = false, children }: { name: string; isWide?: boolean; children: ReactNode }) {
  return (
    <div className={cx('min-w-0', isWide && 'col-span-2')}>
      <dt className="text-xs text-ink-3">{name}</dt>
      <dd className="min-w-0">{children}</dd>
    </div>
  )
}

function Of({ used, max, say }: { used: number | null | undefined; max: number; say: (value: number) => string }) {
  const share = used ? used / max : 0
  return (
    <span className={cx('whitespace-nowrap', share >= 1 ? 'text-bad' : share >= 0.8 && 'text-warn')}>
      {used === null || used === undefined ? '–' : say(used)}
      <span className="text-ink-3"> / {say(max)}</span>
    </span>
  )
}
