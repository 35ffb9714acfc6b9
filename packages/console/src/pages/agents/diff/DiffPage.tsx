import type { AgentManifest } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { useMemo } from 'react'
import { versionsQuery } from '../../../api/agents.ts'
import { versionQuery } from '../../../api/versions.ts'
import { useTexts } from '../../../i18n/index.ts'
import { paths, patterns } from '../../../paths.ts'
import { Select } from '../../../ui/Fields.tsx'
import { Skeleton } from '../../../ui/Notes.tsx'
import { Section } from '../../../ui/Page.tsx'
import { AppLink } from '../../AppLink.tsx'
import { DiffView } from '../../DiffView.tsx'
import { RequestError } from '../../ErrorPages.tsx'
import { PageHead } from '../../PageHead.tsx'
import { RecordTable } from '../RecordTable.tsx'
import { CodeSection } from './CodeSection.tsx'

/** Two versions of an agent against each other, in what they say about themselves and in how their runs fared. */
export function DiffPage() {
  const { t } = useTexts()
  const { agent } = useParams({ from: '/shell/agents/$agent/diff' })
  const search = useSearch({ from: '/shell/agents/$agent/diff' })
  const navigate = useNavigate()
  const versions = useQuery(versionsQuery(agent))
  const names = versions.data?.items.map(({ version }) => version) ?? []
  const to = search.to ?? versions.data?.items.find(({ status }) => status === 'ready')?.version ?? names[0]
  const from = search.from ?? versions.data?.items.find(({ deployment, version }) => deployment === 'live' && version !== to)?.version ?? names[1] ?? names[0]
  const options = [...new Set([...names, from, to])].filter((name) => name !== undefined).map((value) => ({ value, label: value }))
  const choose = (changes: { from?: string; to?: string }) =>
    void navigate({ to: patterns.agentDiff, params: { agent }, search: { from, to, file: undefined, ...changes }, replace: true, resetScroll: false })
  return (
    <div className="space-y-6">
      <PageHead
        title={t('agents.diffTitle')}
        lead={
          <AppLink href={paths.agent(agent)} className="rounded-sm text-accent hover:underline">
            {agent}
          </AppLink>
        }
        actions={
          from !== undefined && to !== undefined ? (
            <>
              <Select label={t('agents.before')} value={from} options={options} onChange={(value) => choose({ from: value })} />
              <span aria-hidden className="text-ink-3">
                →
              </span>
              <Select label={t('agents.after')} value={to} options={options} onChange={(value) => choose({ to: value })} />
            </>
          ) : undefined
        }
      />
      {versions.isError && !versions.data && <RequestError error={versions.error} />}
      {versions.isPending && <Skeleton className="h-80" />}
      {from !== undefined && to !== undefined && <Diff agent={agent} from={from} to={to} />}
    </div>
  )
}

function Diff({ agent, from, to }: { agent: string; from: string; to: string }) {
  const { t } = useTexts()
  const before = useQuery(versionQuery(agent, from))
  const after = useQuery(versionQuery(agent, to))
  const error = before.error ?? after.error
  const parts = useMemo(() => (before.data && after.data ? changedParts(before.data.manifest, after.data.manifest) : []), [before.data, after.data])
  if (error && (!before.data || !after.data)) return <RequestError error={error} />
  if (!before.data || !after.data) return <Skeleton className="h-80" />
  return (
    <>
      <RecordTable
        records={[
          { name: t('agents.before'), record: before.data.record },
          { name: t('agents.after'), record: after.data.record },
        ]}
      />
      {parts.length === 0 && <p className="border-y border-line py-3 text-sm text-ink-2">{t(from === to ? 'agents.sameVersion' : 'agents.onlyCode')}</p>}
      {parts.map(({ part, before: left, after: right }) => (
        <Section key={part} id={part} title={t(`agents.parts.${part}`)}>
          <DiffView before={left} after={right} label={t(`agents.parts.${part}`)} />
        </Section>
      ))}
      {from !== to && <CodeSection agent={agent} from={from} to={to} />}
    </>
  )
}

type Part = 'description' | 'model' | 'instructions' | 'tools' | 'skills' | 'reach'

/** What differs, as texts that can be compared line by line. */
function changedParts(before: AgentManifest | null, after: AgentManifest | null): { part: Part; before: string; after: string }[] {
  const lines = (manifest: AgentManifest | null): Record<Part, string> => ({
    description: manifest?.description ?? '',
    model: manifest ? `${manifest.shape}\n${manifest.model ?? ''}`.trim() : '',
    instructions: manifest?.instructions ?? '',
    tools: (manifest?.tools ?? []).map((tool) => `${tool.name}\n  ${tool.description.replaceAll('\n', '\n  ')}\n${indented(tool.inputSchema)}`).join('\n'),
    skills: (manifest?.skills ?? []).map(({ name, description }) => `${name}: ${description}`).join('\n'),
    reach: manifest
      ? indented({ connections: manifest.connections ?? [], toolLimits: manifest.toolLimits ?? {}, allowedHosts: manifest.allowedHosts ?? [] })
      : '',
  })
  const [left, right] = [lines(before), lines(after)]
  return (['description', 'model', 'instructions', 'tools', 'skills', 'reach'] as const)
    .map((part) => ({ part, before: left[part], after: right[part] }))
    .filter((one) => one.before !== one.after)
}

const indented = (value: unknown): string => `  ${JSON.stringify(value, null, 2).replaceAll('\n', '\n  ')}`
