import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { X } from 'lucide-react'
import { callOutcomes } from '../../../api/calls.ts'
import { useMay } from '../../../api/permissions.ts'
import { keysQuery, namespacesQuery } from '../../../api/settings.ts'
import { useTexts } from '../../../i18n/index.ts'
import { patterns } from '../../../paths.ts'
import type { CallSearch } from '../../../paths.ts'
import { Button } from '../../../ui/Button.tsx'
import { Select, TextInput } from '../../../ui/Fields.tsx'
import { SearchField } from '../../SearchField.tsx'

/** Which model, for whom, how it went, what it cost and when: all of it in the address. */
export function CallFilters() {
  const { t } = useTexts()
  const search = useSearch({ from: '/shell/models/calls' })
  const navigate = useNavigate()
  // Another filter begins at the newest again: a cursor belongs to the list it came from.
  const change = (changes: CallSearch) =>
    void navigate({ to: patterns.calls, search: { ...search, ...changes, cursor: undefined }, replace: true, resetScroll: false })
  const isFiltered = Object.entries(search).some(([name, value]) => name !== 'cursor' && value !== undefined)
  const field = (name: 'model' | 'user' | 'session' | 'cost', label: string) => (
    <SearchField
      label={label}
      value={search[name] ?? ''}
      onChange={(value) => change({ [name]: value || undefined })}
      className={name === 'cost' ? 'w-full sm:w-24' : 'w-full sm:w-36'}
    />
  )
  return (
    <div role="search" aria-label={t('calls.filter')} className="mb-3 grid grid-cols-2 items-center gap-2 sm:flex sm:flex-wrap">
      {field('model', t('calls.model'))}
      {field('user', t('calls.user'))}
      {field('session', t('calls.session'))}
      <Select
        label={t('calls.outcome')}
        value={search.outcome ?? ''}
        options={[
          { value: '', label: t('calls.anyOutcome') },
          ...callOutcomes.map((value) => ({ value: value as string, label: t(`calls.outcomes.${value}`) })),
        ]}
        onChange={(value) => change({ outcome: value || undefined })}
      />
      <Named byKey={search.key} namespace={search.namespace} onChange={change} />
      {field('cost', t('calls.cost'))}
      <span className="col-span-2 flex items-center gap-1.5">
        <Day label={t('calls.from')} value={search.from} onChange={(from) => change({ from })} />
        <span aria-hidden className="text-ink-3">
          –
        </span>
        <Day label={t('calls.to')} value={search.to} onChange={(to) => change({ to })} />
      </span>
      {isFiltered && (
        <Button look="quiet" onClick={() => void navigate({ to: patterns.calls, search: none, replace: true })}>
          <X size={14} aria-hidden />
          {t('calls.clear')}
        </Button>
      )}
    </div>
  )
}

const none = {
  ...{ from: undefined, to: undefined, namespace: undefined, model: undefined, key: undefined },
  ...{ user: undefined, session: undefined, outcome: undefined, cost: undefined, cursor: undefined },
}

type NamedProps = { byKey: string | undefined; namespace: string | undefined; onChange: (changes: CallSearch) => void }

/** Keys and namespaces by name, for those who may see them; for others only what was chosen elsewhere, such as in a call. */
function Named({ byKey: key, namespace, onChange }: NamedProps) {
  const { t } = useTexts()
  const may = useMay()
  const keys = useQuery({ ...keysQuery(), enabled: may('keys:manage') === true }).data?.items ?? []
  const namespaces = useQuery({ ...namespacesQuery(), enabled: may('namespaces:read') === true }).data?.items.map(({ name }) => name) ?? []
  const shown = namespace === undefined || namespaces.includes(namespace) ? namespaces : [namespace, ...namespaces]
  const isUnknown = key !== undefined && !keys.some(({ id }) => id === key)
  return (
    <>
      {(keys.length > 0 || isUnknown) && (
        <Select
          label={t('calls.key')}
          value={key ?? ''}
          options={[
            { value: '', label: t('calls.anyKey') },
            ...(isUnknown ? [{ value: key, label: `${key.slice(0, 8)}…` }] : []),
            ...keys.map(({ id, name }) => ({ value: id, label: name })),
          ]}
          onChange={(value) => onChange({ key: value || undefined })}
        />
      )}
      {shown.length > 1 && (
        <Select
          label={t('calls.namespace')}
          value={namespace ?? ''}
          options={[{ value: '', label: t('calls.anyNamespace') }, ...shown.map((name) => ({ value: name, label: name }))]}
          onChange={(value) => onChange({ namespace: value || undefined })}
        />
      )}
    </>
  )
}

function Day({ label, value, onChange }: { label: string; value: string | undefined; onChange: (value: string | undefined) => void }) {
  return (
    <TextInput isSmall type="date" aria-label={label} value={value ?? ''} onChange={(event) => onChange(event.target.value || undefined)} className="w-34" />
  )
}
