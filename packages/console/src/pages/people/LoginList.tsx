import { useMutation, useQuery } from '@tanstack/react-query'
import { client } from '../../api/client.ts'
import { useTexts } from '../../i18n/index.ts'
import { Button } from '../../ui/Button.tsx'
import { Skeleton } from '../../ui/Notes.tsx'
import { Tag } from '../../ui/State.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { Ago } from '../Moment.tsx'
import { Section, useMeChange } from './Section.tsx'

export function LoginList() {
  const { t } = useTexts()
  const accept = useMeChange()
  const list = useQuery({ queryKey: ['logins'], queryFn: ({ signal }) => client.logins.list({}, { signal }) })
  const end = useMutation({ mutationFn: (loginId: string) => client.logins.delete({ loginId }), onSettled: () => accept() })
  return (
    <Section title={t('people.logins')}>
      <p className="text-sm text-ink-2">{t('people.loginsText')}</p>
      {list.isPending && <Skeleton className="h-20" />}
      {list.isError && <RequestError error={list.error} />}
      <ul aria-label={t('people.logins')} className="divide-y divide-line">
        {list.data?.items.map(({ id, agent, address, kind, lastUsedAt, isThisOne }) => (
          <li key={id} className="flex flex-wrap items-center gap-x-3 gap-y-1 py-2 text-sm">
            <span className="min-w-0 flex-1 basis-60 truncate" title={agent}>
              {agent || t(`people.${kind}`)}
            </span>
            <span className="text-ink-2">{address}</span>
            <span className="text-ink-2">
              <Ago at={lastUsedAt} />
            </span>
            {isThisOne ? (
              <Tag tone="accent">{t('people.thisOne')}</Tag>
            ) : (
              <Button size="sm" isBusy={end.isPending && end.variables === id} onClick={() => end.mutate(id)}>
                {t('people.end')}
              </Button>
            )}
          </li>
        ))}
      </ul>
      {end.isError && <RequestError error={end.error} />}
    </Section>
  )
}
