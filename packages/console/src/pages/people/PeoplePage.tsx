import type { Person } from '@longhaul/protocol'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { usePermission } from '../../api/permissions.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Button, buttonClass } from '../../ui/Button.tsx'
import { EmptyState, Skeleton } from '../../ui/Notes.tsx'
import { Modal } from '../../ui/Sheet.tsx'
import { StateBadge } from '../../ui/State.tsx'
import { AppLink } from '../AppLink.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { Ago } from '../Moment.tsx'
import { EditForm, InviteForm } from './PersonForm.tsx'

const tones = { invited: 'waiting', active: 'good', disabled: 'off' } as const

export function PeoplePage() {
  const { t } = useTexts()
  const { cursor } = useSearch({ from: '/shell/settings/people' })
  const [isInviting, setInviting] = useState(false)
  const [edited, setEdited] = useState<Person>()
  const blocked = usePermission('people:manage') ? undefined : t('common.noPermission', { permission: 'people:manage' })
  const list = useQuery({
    queryKey: ['people', { cursor }],
    queryFn: ({ signal }) => client.people.list({ limit: 50, ...(cursor !== undefined && { cursor }) }, { signal }),
    placeholderData: keepPreviousData,
  })
  const invite = (
    <Button look="primary" disabledBecause={blocked} onClick={() => setInviting(true)}>
      {t('people.invite')}
    </Button>
  )
  return (
    <div className="mx-auto max-w-4xl">
      <div className="mb-4 flex flex-wrap items-center justify-between gap-3">
        <h1 className="text-2xl font-semibold tracking-tight">{t('people.title')}</h1>
        {invite}
      </div>
      {list.isError && <RequestError error={list.error} />}
      {list.isPending && <Skeleton className="h-40" />}
      {list.data && (
        <div className="overflow-x-auto rounded-lg border border-line bg-surface">
          {list.data.items.length === 0 ? (
            <EmptyState title={t('people.empty')}>{t('people.emptyText')}</EmptyState>
          ) : (
            <table className="w-full text-sm">
              <thead className="text-left text-xs text-ink-2">
                <tr className="border-b border-line">
                  {(['person', 'state', 'may', 'secondFactor', 'seen'] as const).map((column) => (
                    <th key={column} scope="col" className="px-4 py-2 font-medium">
                      {t(`people.${column}`)}
                    </th>
                  ))}
                  <td />
                </tr>
              </thead>
              <tbody className="divide-y divide-line">
                {list.data.items.map((person) => (
                  <PersonRow key={person.id} person={person} blocked={blocked} onEdit={() => setEdited(person)} />
                ))}
              </tbody>
            </table>
          )}
        </div>
      )}
      <nav aria-label={t('people.title')} className="mt-4 flex justify-end gap-2">
        {cursor && (
          <AppLink href={paths.people()} className={buttonClass('secondary', 'sm')}>
            {t('people.first')}
          </AppLink>
        )}
        {list.data?.next && (
          <AppLink href={paths.people({ cursor: list.data.next })} className={buttonClass('secondary', 'sm')}>
            {t('people.more')}
          </AppLink>
        )}
      </nav>
      <Modal isOpen={isInviting} onClose={() => setInviting(false)} title={t('people.invite')}>
        <InviteForm onClose={() => setInviting(false)} />
      </Modal>
      <Modal isOpen={edited !== undefined} onClose={() => setEdited(undefined)} title={edited?.name ?? ''}>
        {edited && <EditForm person={edited} onClose={() => setEdited(undefined)} />}
      </Modal>
    </div>
  )
}

function PersonRow({ person, blocked, onEdit }: { person: Person; blocked: string | undefined; onEdit: () => void }) {
  const { t } = useTexts()
  const { roles, namespaces, agents } = person
  const limits = [...(namespaces ?? []), ...(agents ?? [])].join(', ')
  return (
    <tr>
      <th scope="row" className="px-4 py-2 text-left font-normal">
        <span className="font-medium">{person.name}</span>
        <span className="block text-ink-2">{person.email}</span>
      </th>
      <td className="px-4 py-2">
        <StateBadge tone={tones[person.state]}>{t(`people.states.${person.state}`)}</StateBadge>
      </td>
      <td className="px-4 py-2">
        {roles.map((role) => t(`people.roles.${role}`)).join(', ')}
        {limits && <span className="block text-ink-2">{t('people.only', { what: limits })}</span>}
      </td>
      <td className="px-4 py-2">{person.hasSecondFactor ? t('people.on') : t('people.off')}</td>
      <td className="px-4 py-2 whitespace-nowrap text-ink-2">{person.lastSeenAt ? <Ago at={person.lastSeenAt} /> : t('people.never')}</td>
      <td className="px-4 py-2 text-right">
        <Button size="sm" disabledBecause={blocked} onClick={onEdit} aria-label={t('people.changeOf', { name: person.name })}>
          {t('people.change')}
        </Button>
      </td>
    </tr>
  )
}
