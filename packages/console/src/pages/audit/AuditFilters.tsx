import { auditOutcomes, operations } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { X } from 'lucide-react'
import { useEffect, useState } from 'react'
import { useMay } from '../../api/permissions.ts'
import { keysQuery } from '../../api/settings.ts'
import { useTexts } from '../../i18n/index.ts'
import { patterns } from '../../paths.ts'
import type { AuditSearch } from '../../paths.ts'
import { Button } from '../../ui/Button.tsx'
import { Select, TextInput } from '../../ui/Fields.tsx'

/** What the server notes besides the operations. */
const serverActions = ['tools.call', 'secrets.use', 'requests.limit']
const actions = [...serverActions, ...operations.filter(({ http: [method] }) => method !== 'GET').map(({ id }) => id)].sort()

/** Who, what, how it went and when: all of it in the address. */
export function AuditFilters() {
  const { t } = useTexts()
  const search = useSearch({ from: '/shell/audit' })
  const navigate = useNavigate()
  // Another filter begins at the newest again: a cursor belongs to the list it came from.
  const change = (changes: AuditSearch) => void navigate({ to: patterns.audit, search: { ...search, ...changes, cursor: undefined }, replace: true })
  const isFiltered = [search.who, search.action, search.outcome, search.from, search.to].some((field) => field !== undefined)
  return (
    <div role="search" aria-label={t('audit.filter')} className="mb-3 flex flex-wrap items-center gap-2">
      <Who value={search.who} onChange={(who) => change({ who })} />
      <Action value={search.action} onChange={(action) => change({ action })} />
      <Select
        label={t('audit.outcome')}
        value={search.outcome ?? 'any'}
        options={[{ value: 'any', label: t('audit.anyOutcome') }, ...auditOutcomes.map((value) => ({ value, label: t(`audit.outcomes.${value}`) }))]}
        onChange={(value) => change({ outcome: value === 'any' ? undefined : value })}
      />
      <span className="flex items-center gap-1.5">
        <Day label={t('audit.from')} value={search.from} onChange={(from) => change({ from })} />
        <span aria-hidden className="text-ink-3">
          –
        </span>
        <Day label={t('audit.to')} value={search.to} onChange={(to) => change({ to })} />
      </span>
      {isFiltered && (
        <Button look="quiet" onClick={() => change({ who: undefined, action: undefined, outcome: undefined, from: undefined, to: undefined })}>
          <X size={14} aria-hidden />
          {t('audit.clear')}
        </Button>
      )}
    </div>
  )
}

type FilterProps = { value: string | undefined; onChange: (value: string | undefined) => void }

/** By the names of keys for those who may see them; for others only what was chosen elsewhere, such as in an entry. */
function Who({ value, onChange }: FilterProps) {
  const { t } = useTexts()
  const keys = useQuery({ ...keysQuery(), enabled: useMay()('keys:manage') === true }).data?.items ?? []
  const isUnknown = value !== undefined && !keys.some(({ id }) => id === value)
  if (keys.length === 0 && !isUnknown) return null
  return (
    <Select
      label={t('audit.who')}
      value={value ?? ''}
      options={[
        { value: '', label: t('audit.anybody') },
        ...(isUnknown ? [{ value, label: `${value.slice(0, 8)}…` }] : []),
        ...keys.map(({ id, name }) => ({ value: id, label: name })),
      ]}
      onChange={(who) => onChange(who || undefined)}
    />
  )
}

function Action({ value, onChange }: FilterProps) {
  const { t } = useTexts()
  const [text, setText] = useState(value ?? '')
  useEffect(() => setText(value ?? ''), [value])
  return (
    <form
      className="w-44"
      onSubmit={(event) => {
        event.preventDefault()
        onChange(text.trim() || undefined)
      }}
    >
      <TextInput
        isSmall
        list="audit-actions"
        aria-label={t('audit.action')}
        placeholder={t('audit.anyAction')}
        maxLength={100}
        value={text}
        onChange={(event) => {
          setText(event.target.value)
          // Chosen from the list, or emptied: that is all there is to write.
          if (event.target.value === '' || actions.includes(event.target.value)) onChange(event.target.value || undefined)
        }}
        className="font-mono text-xs"
      />
      <datalist id="audit-actions">
        {actions.map((id) => (
          <option key={id} value={id} />
        ))}
      </datalist>
    </form>
  )
}

function Day({ label, value, onChange }: FilterProps & { label: string }) {
  return (
    <TextInput isSmall type="date" aria-label={label} value={value ?? ''} onChange={(event) => onChange(event.target.value || undefined)} className="w-34" />
  )
}
