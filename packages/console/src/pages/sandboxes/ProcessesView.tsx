import type { SandboxInfo, SandboxProcess } from '@longhaul/protocol'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Square } from 'lucide-react'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { usePermission } from '../../api/permissions.ts'
import { processesQuery } from '../../api/sandboxes.ts'
import { useTexts } from '../../i18n/index.ts'
import { IconButton } from '../../ui/Button.tsx'
import { EmptyState } from '../../ui/Notes.tsx'
import { StateIcon } from '../../ui/State.tsx'
import { aboveRow, RowToggle } from '../../ui/Table.tsx'
import type { Column } from '../../ui/Table.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { Listing } from '../Listing.tsx'
import { Ago, Elapsed } from '../Moment.tsx'
import { OutputView } from './OutputView.tsx'
import { processTones } from './sandbox-parts.tsx'

export function ProcessesView({ sandbox }: { sandbox: SandboxInfo }) {
  const { t } = useTexts()
  const queryClient = useQueryClient()
  const mayWrite = usePermission('sandboxes:write')
  const processes = useQuery(processesQuery(sandbox.id))
  const [open, setOpen] = useState<string>()
  const kill = useMutation({
    mutationFn: (processId: string) => client.sandboxes.kill({ sandboxId: sandbox.id, processId }),
    onSettled: () => queryClient.invalidateQueries({ queryKey: processesQuery(sandbox.id).queryKey }),
  })
  const columns: Column<SandboxProcess>[] = [
    {
      id: 'state',
      head: t('sandboxes.state'),
      isHeadHidden: 'small',
      className: 'w-10 md:w-28',
      cell: (process) => (
        <span className="flex items-center gap-2">
          <StateIcon tone={processTones(process)} />
          <span className="sr-only md:not-sr-only">{t(`sandboxes.processStates.${process.state}`)}</span>
        </span>
      ),
    },
    {
      id: 'command',
      head: t('sandboxes.command'),
      cell: ({ id, command }) => (
        <RowToggle id={id} open={open} onOpen={setOpen} className="block max-w-full truncate text-left font-mono text-xs">
          {command}
        </RowToggle>
      ),
    },
    { id: 'exit', head: t('sandboxes.exit'), className: 'w-24', isRight: true, cell: ({ exitCode, signal }) => exitCode ?? signal ?? '–' },
    {
      id: 'duration',
      head: t('runs.duration'),
      className: 'hidden w-28 sm:table-cell',
      isRight: true,
      cell: ({ startedAt, endedAt }) => <Elapsed from={Date.parse(startedAt)} to={endedAt === null ? null : Date.parse(endedAt)} />,
    },
    {
      id: 'at',
      head: t('runs.started'),
      className: 'hidden w-28 sm:table-cell',
      isRight: true,
      cell: ({ startedAt }) => (
        <span className="text-xs text-ink-3">
          <Ago at={startedAt} />
        </span>
      ),
    },
    ...(mayWrite
      ? [
          {
            id: 'actions',
            head: t('admin.actions'),
            isHeadHidden: true as const,
            className: 'w-12',
            isRight: true,
            cell: ({ id, state, command }: SandboxProcess) =>
              state === 'running' && (
                <span className={aboveRow}>
                  <IconButton size="sm" label={t('sandboxes.killOne', { command: command.slice(0, 40) })} onClick={() => kill.mutate(id)}>
                    <Square size={11} aria-hidden fill="currentColor" />
                  </IconButton>
                </span>
              ),
          },
        ]
      : []),
  ]
  return (
    <>
      {kill.isError && (
        <div className="mb-3">
          <RequestError error={kill.error} />
        </div>
      )}
      <Listing
        query={processes}
        label={t('sandboxes.processes')}
        columns={columns}
        rows={processes.data?.items}
        idOf={({ id }) => id}
        detailOf={(process) =>
          open === process.id ? (
            <div tabIndex={0} role="log" aria-label={t('sandboxes.output')} className="max-h-96 overflow-y-auto font-mono text-xs leading-5 break-words">
              <OutputView process={process} />
            </div>
          ) : null
        }
        empty={<EmptyState title={t('sandboxes.noProcesses')}>{t('sandboxes.noProcessesText')}</EmptyState>}
      />
    </>
  )
}
