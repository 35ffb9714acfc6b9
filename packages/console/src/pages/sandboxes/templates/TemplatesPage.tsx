import type { Template } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { Plus, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { client } from '../../../api/client.ts'
import { useMay, usePermission } from '../../../api/permissions.ts'
import { templatesQuery } from '../../../api/templates.ts'
import { useTexts } from '../../../i18n/index.ts'
import { paths, patterns } from '../../../paths.ts'
import { Button, IconButton } from '../../../ui/Button.tsx'
import { formatBytes, formatCount } from '../../../ui/format.ts'
import { EmptyState } from '../../../ui/Notes.tsx'
import { StateIcon } from '../../../ui/State.tsx'
import type { Tone } from '../../../ui/State.tsx'
import { RowToggle, aboveRow } from '../../../ui/Table.tsx'
import type { Column } from '../../../ui/Table.tsx'
import { ActionDialog } from '../../ActionDialog.tsx'
import { Guarded } from '../../Guarded.tsx'
import { Listing } from '../../Listing.tsx'
import { Ago } from '../../Moment.tsx'
import { PageHead } from '../../PageHead.tsx'
import { CreateDialog } from '../CreateDialog.tsx'
import { SandboxTabs } from '../SandboxTabs.tsx'
import { Preparation } from './Preparation.tsx'
import { TemplateDialog } from './TemplateDialog.tsx'

const tones: Record<Template['state'], Tone> = { preparing: 'active', ready: 'usual', failed: 'bad' }
const refOf = ({ name, version }: Template): string => `${name}@${version}`

/** Workspaces that are prepared once, and that sandboxes begin as copies of. */
export function TemplatesPage() {
  const { t } = useTexts()
  const may = useMay()
  const [isMaking, setMaking] = useState(false)
  const mayWrite = may('sandboxes:write')
  return (
    <>
      <PageHead
        title={t('sandboxes.title')}
        lead={may('sandboxes:read') && t('templates.lead')}
        actions={
          may('sandboxes:read') && (
            <Button
              look="primary"
              disabledBecause={mayWrite === false ? t('common.noPermission', { permission: 'sandboxes:write' }) : undefined}
              onClick={() => setMaking(true)}
            >
              <Plus size={14} aria-hidden />
              {t('templates.make')}
            </Button>
          )
        }
      />
      <Guarded permission="sandboxes:read">
        <SandboxTabs />
        <Templates />
        {isMaking && <TemplateDialog onClose={() => setMaking(false)} />}
      </Guarded>
    </>
  )
}

function Templates() {
  const { t, locale } = useTexts()
  const { cursor, template: open } = useSearch({ from: '/shell/sandboxes/templates' })
  const navigate = useNavigate()
  const lacking = usePermission('sandboxes:write') ? undefined : t('common.noPermission', { permission: 'sandboxes:write' })
  const [asking, setAsking] = useState<{ what: 'use' | 'delete'; template: Template }>()
  const templates = useQuery(templatesQuery(cursor))
  const columns: Column<Template>[] = [
    {
      id: 'state',
      head: t('sandboxes.state'),
      isHeadHidden: 'small',
      className: 'w-10 md:w-32',
      cell: ({ state }) => (
        <span className="flex items-center gap-2">
          <StateIcon tone={tones[state]} />
          <span className="sr-only md:not-sr-only">{t(`templates.states.${state}`)}</span>
        </span>
      ),
    },
    {
      id: 'name',
      head: t('sandboxes.name'),
      cell: (template) => (
        <RowToggle
          id={template.id}
          open={open}
          onOpen={(id) => void navigate({ to: patterns.templates, search: { cursor, template: id }, replace: true, resetScroll: false })}
        >
          {template.name}
          <span className="text-ink-3">@{template.version}</span>
        </RowToggle>
      ),
    },
    {
      id: 'step',
      head: t('templates.steps'),
      className: 'hidden w-28 sm:table-cell',
      isRight: true,
      cell: ({ stepsDone, stepCount }) => t('templates.stepsOf', { done: stepsDone, count: stepCount }),
    },
    {
      id: 'bytes',
      head: t('sandboxes.size'),
      className: 'w-24',
      isRight: true,
      cell: ({ bytes, state }) => (state === 'ready' ? formatBytes(bytes, locale) : '–'),
    },
    {
      id: 'made',
      head: t('sandboxes.made'),
      className: 'hidden w-28 md:table-cell',
      isRight: true,
      cell: ({ createdAt }) => <Quiet at={createdAt} />,
    },
    {
      id: 'uses',
      head: t('templates.uses'),
      className: 'hidden w-24 sm:table-cell',
      isRight: true,
      cell: ({ useCount }) => formatCount(useCount, locale),
    },
    {
      id: 'used',
      head: t('sandboxes.used'),
      className: 'hidden w-28 lg:table-cell',
      isRight: true,
      cell: ({ usedAt, useCount }) => (useCount > 0 ? <Quiet at={usedAt} /> : '–'),
    },
    {
      id: 'actions',
      head: t('admin.actions'),
      isHeadHidden: true,
      className: 'w-20',
      isRight: true,
      cell: (template) => (
        <span className={`inline-flex gap-0.5 ${aboveRow}`}>
          <IconButton
            size="sm"
            label={t('templates.use', { name: refOf(template) })}
            disabledBecause={lacking ?? (template.state === 'ready' ? undefined : t(`templates.unusable.${template.state}`))}
            onClick={() => setAsking({ what: 'use', template })}
          >
            <Plus size={14} aria-hidden />
          </IconButton>
          <IconButton
            size="sm"
            label={t('templates.delete', { name: refOf(template) })}
            disabledBecause={lacking}
            onClick={() => setAsking({ what: 'delete', template })}
          >
            <Trash2 size={14} aria-hidden />
          </IconButton>
        </span>
      ),
    },
  ]
  return (
    <>
      <Listing
        query={templates}
        label={t('templates.title')}
        columns={columns}
        rows={templates.data?.items}
        idOf={({ id }) => id}
        detailOf={(template) => template.id === open && <Preparation template={template} />}
        skeletonRows={3}
        empty={<EmptyState title={t('templates.none')}>{t('templates.noneText')}</EmptyState>}
        newer={cursor && paths.templates()}
        older={templates.data?.next ? paths.templates({ cursor: templates.data.next }) : undefined}
      />
      {asking?.what === 'use' && <CreateDialog template={refOf(asking.template)} onClose={() => setAsking(undefined)} />}
      {asking?.what === 'delete' && (
        <ActionDialog
          title={t('templates.deleteTitle', { name: refOf(asking.template) })}
          action={t('sandboxes.delete')}
          isDangerous
          changes={['templates']}
          act={() => client.templates.delete({ templateId: asking.template.id })}
          onClose={() => setAsking(undefined)}
        >
          <p className="text-ink-2">{t(asking.template.state === 'preparing' ? 'templates.deletePreparing' : 'templates.deleteText')}</p>
        </ActionDialog>
      )}
    </>
  )
}

const Quiet = ({ at }: { at: string }) => (
  <span className="text-xs text-ink-3">
    <Ago at={at} />
  </span>
)
