import type { Tool } from '@longhaul/protocol'
import { useMutation } from '@tanstack/react-query'
import { Check, SlidersHorizontal } from 'lucide-react'
import { useState } from 'react'
import type { ReactNode } from 'react'
import { usePermission } from '../../api/permissions.ts'
import { approveTool } from '../../api/tools.ts'
import { useTexts } from '../../i18n/index.ts'
import { Button } from '../../ui/Button.tsx'
import { formatDuration, formatNumber } from '../../ui/format.ts'
import { Note } from '../../ui/Notes.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { JsonView } from '../JsonView.tsx'
import { Ago } from '../Moment.tsx'
import { LimitsDialog } from './LimitsDialog.tsx'

/** What the model is told of a tool, what an operator decided about it, and what its tool server has changed. */
export function ToolDetail({ tool }: { tool: Tool }) {
  const { t, locale } = useTexts()
  const mayDeploy = usePermission('agents:deploy')
  const [isLimiting, setLimiting] = useState(false)
  const { perMinute, concurrent, timeoutMs, resultCharactersMax, isOff } = tool.limits
  const limits = [
    isOff && t('tools.isOff'),
    perMinute !== undefined && t('tools.perMinuteValue', { number: formatNumber(perMinute, locale) }),
    concurrent !== undefined && t('tools.concurrentValue', { number: formatNumber(concurrent, locale) }),
    timeoutMs !== undefined && t('tools.timeoutValue', { time: formatDuration(timeoutMs, locale) }),
    resultCharactersMax !== undefined && t('tools.resultValue', { number: formatNumber(resultCharactersMax, locale) }),
  ].filter(Boolean)
  return (
    <div className="space-y-4">
      <Waiting tool={tool} />
      <div className="grid gap-x-10 gap-y-4 lg:grid-cols-2">
        <div className="min-w-0 space-y-3">
          <p className="break-words whitespace-pre-wrap">{tool.description}</p>
          <dl className="grid grid-cols-[6rem_minmax(0,1fr)] gap-x-4 gap-y-1.5 text-xs">
            <Fact name={t('tools.limits')}>
              <span className="flex flex-wrap items-center gap-2">
                {limits.length > 0 ? limits.join(' · ') : t('common.none')}
                <Button
                  size="sm"
                  disabledBecause={mayDeploy ? undefined : t('common.noPermission', { permission: 'agents:deploy' })}
                  onClick={() => setLimiting(true)}
                >
                  <SlidersHorizontal size={13} aria-hidden />
                  {t('tools.setLimits')}
                </Button>
              </span>
            </Fact>
            <Fact name={t('run.version', { version: '' }).trim()}>
              <span className="font-mono">{tool.version}</span>
            </Fact>
            {tool.pin?.hash && (
              <Fact name={t('tools.approved')}>
                <span className="font-mono break-all">{tool.pin.hash.slice(0, 16)}</span>
                {tool.pin.decidedBy && ` · ${tool.pin.decidedBy}`}
                {tool.pin.decidedAt && (
                  <>
                    {' · '}
                    <Ago at={tool.pin.decidedAt} />
                  </>
                )}
              </Fact>
            )}
          </dl>
        </div>
        <div className="min-w-0">
          <p className="mb-1 text-xs text-ink-3">{t('tools.schema')}</p>
          <JsonView value={tool.inputSchema} />
        </div>
      </div>
      {isLimiting && <LimitsDialog tool={tool} onClose={() => setLimiting(false)} />}
    </div>
  )
}

/** What the tool server gives now and nobody has approved: line by line, with the hash of what is on the screen. */
function Waiting({ tool: { agent, name, state, pin } }: { tool: Tool }) {
  const { t } = useTexts()
  const mayDecide = usePermission('approvals:decide')
  const approve = useMutation({ mutationFn: (hash: string) => approveTool(agent, name, hash) })
  if (state === 'gone')
    return (
      <Note tone="warn" title={t('tools.states.gone')}>
        <p className="text-sm text-ink-2">{t('tools.goneText')}</p>
      </Note>
    )
  const hash = pin?.offeredHash
  if (!hash || (state !== 'changed' && state !== 'added')) return null
  return (
    <Note
      tone="warn"
      title={t(state === 'added' ? 'tools.addedTitle' : 'tools.changedTitle')}
      action={
        <Button
          look="primary"
          isBusy={approve.isPending}
          disabledBecause={mayDecide ? undefined : t('common.noPermission', { permission: 'approvals:decide' })}
          onClick={() => approve.mutate(hash)}
        >
          <Check size={14} aria-hidden />
          {t('tools.approve')}
        </Button>
      }
    >
      <p className="text-sm text-ink-2">{t('tools.withheld')}</p>
      {pin.changes.length > 0 && (
        <ul className="space-y-2 text-sm">
          {pin.changes.map(({ path, from, to }) => (
            <li key={path} className="min-w-0">
              <p className="font-mono text-xs font-medium">{path}</p>
              <Side sign="−" name={t('tools.before')} value={from} />
              <Side sign="+" name={t('tools.now')} value={to} />
            </li>
          ))}
        </ul>
      )}
      <p className="font-mono text-xs break-all text-ink-3">{hash}</p>
      {approve.isError && <RequestError error={approve.error} />}
    </Note>
  )
}

function Side({ sign, name, value }: { sign: string; name: string; value: unknown }) {
  if (value === null) return null
  return (
    <p className="flex gap-2 font-mono text-xs">
      <span aria-hidden>{sign}</span>
      <span className="sr-only">{name}</span>
      <span className="min-w-0 break-words whitespace-pre-wrap">{typeof value === 'string' ? value : JSON.stringify(value)}</span>
    </p>
  )
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-ink-3">{name}</dt>
      <dd className="min-w-0">{children}</dd>
    </>
  )
}
