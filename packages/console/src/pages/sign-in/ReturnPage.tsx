import { useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { plainClient } from '../../api/client.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { buttonClass } from '../../ui/Button.tsx'
import { ErrorNote, Skeleton } from '../../ui/Notes.tsx'
import { AppLink } from '../AppLink.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { FactorForm, useSignedIn } from './PasswordForm.tsx'
import { SignInFrame } from './SignInFrame.tsx'
import { takeWanted } from './SsoButton.tsx'

/** Where the provider sends the browser back to. What it brings is used once, and is not left in the history. */
export function ReturnPage() {
  const { t } = useTexts()
  const [query] = useState(() => location.search.slice(1))
  const [to] = useState(takeWanted)
  const done = useSignedIn(to)
  const finish = useQuery({ queryKey: ['return', query], queryFn: () => plainClient.signin.return({ query }), retry: false, staleTime: Infinity })
  const answer = finish.data
  useEffect(() => history.replaceState(history.state, '', location.pathname), [])
  useEffect(() => {
    if (answer) void done.accept(answer)
  }, [answer]) // Once for each answer: `done` is new with each rendering.
  return (
    <SignInFrame title={t('sso.returning')} lead={finish.isPending ? t('sso.returningText') : ''}>
      <div className="mt-6 space-y-4">
        {finish.isPending && <Skeleton className="h-10" />}
        {answer?.ticket && <FactorForm asked={answer} to={to} onRestart={() => location.assign(paths.signIn())} />}
        {finish.isError && (
          <RequestError
            error={finish.error}
            action={
              <AppLink href={paths.signIn()} className={buttonClass('secondary')}>
                {t('sso.failed')}
              </AppLink>
            }
          />
        )}
        {done.isLost && <ErrorNote title={t('people.noCookie')} cause={t('people.noCookieText')} />}
      </div>
    </SignInFrame>
  )
}
