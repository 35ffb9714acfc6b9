import type { EgressConnection, SandboxInfo } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import { connectionsQuery, statsQuery } from '../../api/sandboxes.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { formatBytes, formatNumber } from '../../ui/format.ts'
import { EmptyState } from '../../ui/Notes.tsx'
import { StateIcon, Tag } from '../../ui/State.tsx'
import type { Tone } from '../../ui/State.tsx'
import type { Column } from '../../ui/Table.tsx'
import { Listing } from '../Listing.tsx'
import { Ago } from '../Moment.tsx'

const tones: Record<EgressConnection['verdict'], Tone> = { allowed: 'usual', refused: 'warn', failed: 'bad' }

/** What may leave, and every attempt to. */
export function NetworkView({ sandbox, address }: { sandbox: SandboxInfo; address: string }) {
  const { t, locale } = useTexts()
  const { cursor } = useSearch({ from: '/shell/sandboxes/$sandboxId' })
  const connections = useQuery(connectionsQuery(sandbox.id, cursor))
  const columns: Column<EgressConnection>[] = [
    {
      id: 'verdict',
      head: t('sandboxes.verdict'),
      isHeadHidden: 'small',
      className: 'w-10 md:w-28',
      cell: ({ verdict }) => (
        <span className="flex items-center gap-2">
          <StateIcon tone={tones[verdict]} />
          <span className="sr-only md:not-sr-only">{t(`sandboxes.verdicts.${verdict}`)}</span>
        </span>
      ),
    },
    {
      id: 'to',
      head: t('sandboxes.to'),
      cell: ({ host, port, method, path, reason }) => (
        <>
          <span className="block truncate font-mono text-xs">
            {method && `${method} `}
            {host}:{port}
            {path}
          </span>
          {reason && <span className="block truncate text-xs text-ink-3">{reason}</span>}
        </>
      ),
    },
    { id: 'status', head: t('sandboxes.status'), className: 'hidden w-16 sm:table-cell', isRight: true, cell: ({ status }) => status ?? '–' },
    { id: 'out', head: t('sandboxes.bytesOut'), className: 'hidden w-20 sm:table-cell', isRight: true, cell: ({ bytesOut }) => formatBytes(bytesOut, locale) },
    { id: 'in', head: t('sandboxes.bytesIn'), className: 'hidden w-20 sm:table-cell', isRight: true, cell: ({ bytesIn }) => formatBytes(bytesIn, locale) },
    {
      id: 'at',
      head: t('audit.at'),
      className: 'w-28',
      isRight: true,
      cell: ({ startedAt }) => (
        <span className="text-xs text-ink-3">
          <Ago at={startedAt} />
        </span>
      ),
    },
  ]
  return (
    <>
      <Rules sandbox={sandbox} />
      <Listing
        query={connections}
        label={t('sandboxes.connections')}
        columns={columns}
        rows={connections.data?.items}
        idOf={({ id }) => id}
        skeletonRows={3}
        empty={<EmptyState title={t('sandboxes.noConnections')}>{t('sandboxes.noConnectionsText')}</EmptyState>}
        newer={cursor && paths.sandbox(address, { view: 'network' })}
        older={connections.data?.next ? paths.sandbox(address, { view: 'network', cursor: connections.data.next }) : undefined}
      />
    </>
  )
}

function Rules({ sandbox: { id, state, egress } }: { sandbox: SandboxInfo }) {
  const { t, locale } = useTexts()
  const { data: stats } = useQuery({ ...statsQuery(id), enabled: state === 'active' && egress !== null })
  if (!egress || egress.rules.length === 0) return <p className="mb-4 text-sm text-ink-2">{t('sandboxes.noWayOut')}</p>
  return (
    <div className="mb-4 space-y-2 text-sm">
      <p className="text-ink-2">{t('sandboxes.waysOut')}</p>
      <ul className="space-y-1">
        {egress.rules.map(({ host, port, methods, paths: only, credential }, i) => (
          <li key={i} className="flex flex-wrap items-center gap-x-3 gap-y-1">
            <span className="font-mono text-xs">
              {methods && `${methods.join(', ')} `}
              {host}
              {port && `:${port}`}
              {only && ` ${only.join(' ')}`}
            </span>
            {credential && (
              <Tag tone={credential.isKnown ? 'plain' : 'warn'}>
                {t(credential.isKnown ? 'sandboxes.sets' : 'sandboxes.forgotten', { header: credential.header })}
              </Tag>
            )}
          </li>
        ))}
      </ul>
      <p className="text-xs text-ink-3">
        {t('sandboxes.egressUse', {
          bytes: formatBytes(stats?.egressBytes ?? 0, locale),
          bytesMax: formatBytes(egress.bytesMax, locale),
          requests: formatNumber(stats?.egressRequests ?? 0, locale),
          requestsMax: formatNumber(egress.requestsMax, locale),
        })}
      </p>
    </div>
  )
}
