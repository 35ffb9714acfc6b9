import type { CodeChange } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { codeChangesQuery } from '../../../api/versions.ts'
import { usePermission } from '../../../api/permissions.ts'
import { useTexts } from '../../../i18n/index.ts'
import { patterns } from '../../../paths.ts'
import { countLines } from '../../../ui/diff-rows.ts'
import { formatBytes, formatCount } from '../../../ui/format.ts'
import { Frame, Section } from '../../../ui/Page.tsx'
import { Tag } from '../../../ui/State.tsx'
import { RowToggle, Table } from '../../../ui/Table.tsx'
import { RequestError } from '../../ErrorPages.tsx'
import { linesOf } from './code-lines.ts'
import { FileDiff } from './FileDiff.tsx'

/** What changed in the code, file by file. Who may not deploy code may not read it either. */
export function CodeSection({ agent, from, to }: { agent: string; from: string; to: string }) {
  const { t } = useTexts()
  const mayRead = usePermission('agents:deploy')
  const { data, error } = useQuery({ ...codeChangesQuery(agent, from, to), enabled: mayRead })
  const aside = data && (
    <span className="text-ink-3">
      {t('agents.code.changed', { count: data.changes.length })}
      {data.sameCount > 0 && t('agents.code.same', { count: data.sameCount })}
    </span>
  )
  return (
    <Section id="code" title={t('agents.code.title')} aside={aside}>
      {!mayRead && (
        <Frame className="p-4">
          <p className="text-sm text-ink-2">{t('agents.code.noRight', { permission: 'agents:deploy' })}</p>
        </Frame>
      )}
      {error && !data && <RequestError error={error} />}
      {mayRead && !error && (data?.changes.length === 0 ? <NoChanges /> : <Files changes={data?.changes} />)}
    </Section>
  )
}

const NoChanges = () => <p className="border-y border-line py-3 text-sm text-ink-2">{useTexts().t('agents.code.none')}</p>

function Files({ changes }: { changes: readonly CodeChange[] | undefined }) {
  const { t, locale } = useTexts()
  const search = useSearch({ from: '/shell/agents/$agent/diff' })
  const navigate = useNavigate({ from: patterns.agentDiff })
  const counts = useLineCounts(changes)
  const open = search.file ?? changes?.find(({ omitted }) => omitted === null)?.path
  const setOpen = (path: string | undefined) => void navigate({ search: { ...search, file: path ?? 'none' }, replace: true, resetScroll: false })
  return (
    <Table
      label={t('agents.code.title')}
      rows={changes}
      skeletonRows={3}
      idOf={({ path }) => path}
      detailOf={(change) => change.path === open && <FileDiff key={change.path} change={change} />}
      columns={[
        {
          id: 'file',
          head: t('agents.code.file'),
          cell: ({ path }) => (
            <RowToggle id={path} open={open} onOpen={setOpen} className="block max-w-full truncate font-mono text-xs">
              {path}
            </RowToggle>
          ),
        },
        {
          id: 'change',
          head: t('agents.code.change'),
          className: 'w-20 sm:w-24',
          cell: ({ change }) => <Tag>{t(`agents.code.kinds.${change}`)}</Tag>,
        },
        {
          id: 'lines',
          head: t('agents.code.lines'),
          isRight: true,
          className: 'w-20 sm:w-28',
          cell: ({ path, omitted }) => (omitted ? <span className="text-ink-3">–</span> : <Counts counts={counts.get(path)} />),
        },
        {
          id: 'size',
          head: t('agents.code.size'),
          isRight: true,
          className: 'w-28 max-sm:hidden',
          cell: ({ before, after }) => <span className="text-ink-2">{formatBytes((after ?? before)?.bytes ?? 0, locale)}</span>,
        },
      ]}
    />
  )
}

function Counts({ counts }: { counts: { added: number; removed: number } | undefined }) {
  const { t, locale } = useTexts()
  if (!counts) return null
  return (
    <span className="font-mono text-xs">
      <span className="sr-only">{t('agents.code.counts', counts)}</span>
      <span aria-hidden>
        {counts.added > 0 && <span className="text-good">+{formatCount(counts.added, locale)}</span>}
        {counts.removed > 0 && <span className="ml-2 text-bad">−{formatCount(counts.removed, locale)}</span>}
      </span>
    </span>
  )
}

/** Counted one file at a time, with room between them for what the reader does. */
function useLineCounts(changes: readonly CodeChange[] | undefined): ReadonlyMap<string, { added: number; removed: number }> {
  const [counts, setCounts] = useState<ReadonlyMap<string, { added: number; removed: number }>>(new Map())
  useEffect(() => {
    const left = (changes ?? []).filter(({ omitted }) => omitted === null)
    const done = new Map<string, { added: number; removed: number }>()
    let timer: ReturnType<typeof setTimeout>
    const countNext = () => {
      const change = left.shift()
      if (!change) return
      done.set(change.path, countLines(linesOf(change)))
      setCounts(new Map(done))
      timer = setTimeout(countNext)
    }
    countNext()
    return () => clearTimeout(timer)
  }, [changes])
  return counts
}
