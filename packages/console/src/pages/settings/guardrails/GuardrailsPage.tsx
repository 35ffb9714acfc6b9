import type { Guard, Guardrail } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { Pencil, Plus, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { client } from '../../../api/client.ts'
import { guardrailsQuery } from '../../../api/guardrails.ts'
import { useMay } from '../../../api/permissions.ts'
import { useTexts } from '../../../i18n/index.ts'
import type { Translate } from '../../../i18n/index.ts'
import { paths } from '../../../paths.ts'
import { Button, buttonClass } from '../../../ui/Button.tsx'
import { EmptyState } from '../../../ui/Notes.tsx'
import { Tag } from '../../../ui/State.tsx'
import { RowToggle } from '../../../ui/Table.tsx'
import { ActionDialog } from '../../ActionDialog.tsx'
import { AppLink } from '../../AppLink.tsx'
import { Listing } from '../../Listing.tsx'
import { Ago } from '../../Moment.tsx'
import { SettingsFrame } from '../SettingsFrame.tsx'
import { GuardrailDialog } from './GuardrailDialog.tsx'

/** What is looked for in model calls, and what happens when it is found. */
export function GuardrailsPage() {
  const { t } = useTexts()
  const [isMaking, setMaking] = useState(false)
  return (
    <SettingsFrame
      section="guardrails"
      lead={t('guardrails.lead')}
      actions={
        <Button look="primary" onClick={() => setMaking(true)}>
          <Plus size={14} aria-hidden />
          {t('guardrails.create')}
        </Button>
      }
    >
      <GuardrailTable />
      {isMaking && <GuardrailDialog onClose={() => setMaking(false)} />}
    </SettingsFrame>
  )
}

function GuardrailTable() {
  const { t } = useTexts()
  const guardrails = useQuery(guardrailsQuery())
  const [open, setOpen] = useState<string>()
  return (
    <Listing<Guardrail>
      query={guardrails}
      label={t('admin.section.guardrails')}
      rows={guardrails.data?.items}
      skeletonRows={3}
      idOf={({ name }) => name}
      empty={<EmptyState title={t('guardrails.empty')}>{t('guardrails.emptyText')}</EmptyState>}
      detailOf={(guardrail) => guardrail.name === open && <GuardrailDetail guardrail={guardrail} />}
      columns={[
        {
          id: 'name',
          head: t('hooks.name'),
          className: 'lg:w-52',
          cell: ({ name }) => (
            <RowToggle id={name} open={open} onOpen={setOpen}>
              {name}
            </RowToggle>
          ),
        },
        {
          id: 'scope',
          head: t('guardrails.holdsFor'),
          className: 'w-64 max-lg:hidden',
          cell: (guardrail) => <span className="block truncate text-ink-2">{scopeOf(guardrail, t)}</span>,
        },
        {
          id: 'guards',
          head: t('guardrails.guards'),
          cell: ({ guards }) => (
            <span className="flex gap-1 overflow-hidden">
              {[...new Set(guards.map(({ type }) => type))].map((type) => (
                <Tag key={type}>{t(`guardrails.types.${type}`)}</Tag>
              ))}
            </span>
          ),
        },
        {
          id: 'at',
          head: t('guardrails.changed'),
          className: 'w-28 max-sm:hidden',
          isRight: true,
          cell: ({ updatedAt }) => (
            <span className="text-xs text-ink-3">
              <Ago at={updatedAt} />
            </span>
          ),
        },
      ]}
    />
  )
}

function scopeOf({ route, agent, namespace }: Guardrail, t: Translate): string {
  const parts = [agent, route, namespace && t('guardrails.inNamespace', { namespace })].filter(Boolean)
  return parts.length === 0 ? t('guardrails.allCalls') : parts.join(' · ')
}

function GuardrailDetail({ guardrail }: { guardrail: Guardrail }) {
  const { t } = useTexts()
  const may = useMay()
  const [open, setOpen] = useState<'change' | 'delete'>()
  return (
    <div className="space-y-3">
      <p className="text-sm text-ink-2 lg:hidden">{scopeOf(guardrail, t)}</p>
      <ul className="divide-y divide-line rounded-md border border-line bg-surface">
        {guardrail.guards.map((guard, i) => (
          <li key={i} className="flex min-h-9 flex-wrap items-center gap-x-3 gap-y-1 px-3 py-1 text-sm">
            <span className="flex-1 font-medium sm:w-36 sm:flex-none">{t(`guardrails.types.${guard.type}`)}</span>
            <span className="min-w-0 flex-1 text-ink-2 max-sm:order-last max-sm:basis-full max-sm:break-words sm:truncate">{factsOf(guard, t)}</span>
            {guard.type !== 'size' && (
              <span className="text-xs text-ink-3">
                {guard.type !== 'schema' && `${t(`guardrails.places.${guard.on}`)} · `}
                {t(`guardrails.actions.${guard.action}`)}
                {'unreadFiles' in guard && guard.unreadFiles === 'block' && ` · ${t('guardrails.unreadRefused')}`}
              </span>
            )}
          </li>
        ))}
      </ul>
      <div className="flex flex-wrap gap-2">
        <Button size="sm" onClick={() => setOpen('change')}>
          <Pencil size={13} aria-hidden />
          {t('hooks.change')}
        </Button>
        {may('audit:read') && (
          <AppLink href={paths.decisions({ guardrail: guardrail.name })} className={buttonClass('secondary', 'sm')}>
            {t('guardrails.toDecisions')}
          </AppLink>
        )}
        <Button size="sm" look="danger" onClick={() => setOpen('delete')}>
          <Trash2 size={13} aria-hidden />
          {t('hooks.delete')}
        </Button>
      </div>
      {open === 'change' && <GuardrailDialog guardrail={guardrail} onClose={() => setOpen(undefined)} />}
      {open === 'delete' && (
        <ActionDialog
          title={t('hooks.deleteTitle', { name: guardrail.name })}
          action={t('hooks.delete')}
          isDangerous
          changes={['guardrails']}
          act={() => client.guardrails.delete({ name: guardrail.name })}
          onClose={() => setOpen(undefined)}
        >
          <p className="text-sm text-ink-2">{t('guardrails.deleteText')}</p>
        </ActionDialog>
      )}
    </div>
  )
}

/** What a guard looks for, in a line. */
function factsOf(guard: Guard, t: Translate): string {
  switch (guard.type) {
    case 'size':
      return (['inputBytesMax', 'inputTokensMax', 'outputTokensMax'] as const)
        .flatMap((field) => (guard[field] === undefined ? [] : [`${t(`guardrails.${field}`)} ${guard[field]}`]))
        .join(' · ')
    case 'personal':
      return guard.kinds.map((kind) => t(`guardrails.kinds.${kind}`)).join(', ')
    case 'secrets':
      return t('guardrails.typeTexts.secrets')
    case 'words':
      return guard.words.join(', ')
    case 'schema':
      return JSON.stringify(guard.schema)
    case 'moderation':
      return [guard.model, guard.policy].filter(Boolean).join(' · ')
  }
}
