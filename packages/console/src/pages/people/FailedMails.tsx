import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { client } from '../../api/client.ts'
import { useTexts } from '../../i18n/index.ts'
import { Button } from '../../ui/Button.tsx'
import { Note } from '../../ui/Notes.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { Ago } from '../Moment.tsx'

const shown = 20

/** Mails to people that were given up. Nothing while there is none. */
export function FailedMails() {
  const { t } = useTexts()
  const queryClient = useQueryClient()
  const failed = useQuery({ queryKey: ['mails', 'failed'], queryFn: ({ signal }) => client.mails.list({ state: 'failed', limit: shown }, { signal }) })
  const retry = useMutation({
    mutationFn: (mailId: string) => client.mails.retry({ mailId }),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['mails'] }),
  })
  if (failed.isError) return <RequestError error={failed.error} />
  if (!failed.data?.items.length) return null
  return (
    <Note tone="warn" title={t('people.mailsFailed')}>
      <ul className="space-y-2 text-sm">
        {failed.data.items.map(({ id, email, kind, failure, createdAt }) => (
          <li key={id} className="flex items-start gap-3">
            <span className="min-w-0 flex-1">
              <span className="block truncate">
                {email} · {t(`people.mailKinds.${kind}`)} · <Ago at={createdAt} />
              </span>
              <span className="block text-xs break-words text-ink-2">{failure}</span>
            </span>
            <Button
              size="sm"
              isBusy={retry.isPending && retry.variables === id}
              onClick={() => retry.mutate(id)}
              aria-label={t('people.sendAgainTo', { email })}
            >
              {t('people.sendAgain')}
            </Button>
          </li>
        ))}
      </ul>
      {retry.isError && <RequestError error={retry.error} />}
    </Note>
  )
}
