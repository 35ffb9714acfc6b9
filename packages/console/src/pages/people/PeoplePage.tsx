import type { Person } from '@longhaul/protocol'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Button } from '../../ui/Button.tsx'
import { EmptyState } from '../../ui/Notes.tsx'
import { Modal } from '../../ui/Sheet.tsx'
import { StateBadge } from '../../ui/State.tsx'
import type { Column } from '../../ui/Table.tsx'
import { Listing } from '../Listing.tsx'
import { Ago } from '../Moment.tsx'
import { SettingsFrame } from '../settings/SettingsFrame.tsx'
import { FailedMails } from './FailedMails.tsx'
import { EditForm, InviteForm } from './PersonForm.tsx'
import { SsoSection } from './SsoSection.tsx'

const tones = { invited: 'waiting', active: 'good', disabled: 'off' } as const

export function PeoplePage() {
  const { t } = useTexts()
  const [isInviting, setInviting] = useState(false)
  const [edited, setEdited] = useState<Person>()
  return (
    <SettingsFrame
      section="people"
      lead={t('people.lead')}
      actions={
        <Button look="primary" onClick={() => setInviting(true)}>
          <Plus size={14} aria-hidden />
          {t('people.invite')}
        </Button>
      }
    >
      <FailedMails />
      <PeopleTable onEdit={setEdited} />
      <div className="mt-8">
        <SsoSection />
      </div>
      <Modal isOpen={isInviting} onClose={() => setInviting(false)} title={t('people.invite')}>
        <InviteForm onClose={() => setInviting(false)} />
      </Modal>
      <Modal isOpen={edited !== undefined} onClose={() => setEdited(undefined)} title={edited?.name ?? ''}>
        {edited && <EditForm person={edited} onClose={() => setEdited(undefined)} />}
      </Modal>
    </SettingsFrame>
  )
}

function PeopleTable({ onEdit }: { onEdit: (person: Person) => void }) {
  const { t } = useTexts()
  const { cursor } = useSearch({ from: '/shell/settings/people' })
  const people = useQuery({
    queryKey: ['people', { cursor }],
    queryFn: ({ signal }) => client.people.list({ limit: 50, ...(cursor !== undefined && { cursor }) }, { signal }),
    placeholderData: keepPreviousData,
  })
  const columns: Column<Person>[] = [
    {
      id: 'person',
      head: t('people.person'),
      cell: ({ name, email }) => (
        <span className="block min-w-0 py-1">
          <span className="block truncate font-medium">{name}</span>
          <span className="block truncate text-xs text-ink-2">{email}</span>
        </span>
      ),
    },
    {
      id: 'state',
      head: t('people.state'),
      className: 'w-28',
      cell: ({ state }) => <StateBadge tone={tones[state]}>{t(`people.states.${state}`)}</StateBadge>,
    },
    {
      id: 'may',
      head: t('people.may'),
      className: 'hidden sm:table-cell',
      cell: ({ roles, namespaces, agents }) => {
        const limits = [...(namespaces ?? []), ...(agents ?? [])].join(', ')
        return (
          <span className="block min-w-0 py-1">
            <span className="block truncate">{roles.map((role) => t(`people.roles.${role}`)).join(', ')}</span>
            {limits && <span className="block truncate text-xs text-ink-2">{t('people.only', { what: limits })}</span>}
          </span>
        )
      },
    },
    {
      id: 'secondFactor',
      head: t('people.secondFactor'),
      className: 'hidden w-32 lg:table-cell',
      cell: ({ hasSecondFactor }) => (hasSecondFactor ? t('people.on') : t('people.off')),
    },
    {
      id: 'seen',
      head: t('people.seen'),
      className: 'hidden w-28 md:table-cell',
      cell: ({ lastSeenAt }) => <span className="text-ink-2">{lastSeenAt ? <Ago at={lastSeenAt} /> : t('people.never')}</span>,
    },
    {
      id: 'actions',
      head: t('admin.actions'),
      isHeadHidden: true,
      className: 'w-24',
      isRight: true,
      cell: (person) => (
        <Button size="sm" onClick={() => onEdit(person)} aria-label={t('people.changeOf', { name: person.name })}>
          {t('people.change')}
        </Button>
      ),
    },
  ]
  return (
    <Listing
      query={people}
      label={t('people.title')}
      columns={columns}
      rows={people.data?.items}
      idOf={({ id }) => id}
      empty={<EmptyState title={t('people.empty')}>{t('people.emptyText')}</EmptyState>}
      newer={cursor && paths.people()}
      older={people.data?.next ? paths.people({ cursor: people.data.next }) : undefined}
    />
  )
}
