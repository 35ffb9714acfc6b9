import { useMutation } from '@tanstack/react-query'
import { hasPasskeys } from '../../api/passkey.ts'
import { useTexts } from '../../i18n/index.ts'
import { Button } from '../../ui/Button.tsx'
import { Note } from '../../ui/Notes.tsx'
import { RequestError } from '../ErrorPages.tsx'

/** Asks the browser for a passkey. Nothing where the browser has none. */
export function PasskeyButton({ label, act, className = '' }: { label: string; act: () => Promise<unknown>; className?: string }) {
  const run = useMutation({ mutationFn: act })
  if (!hasPasskeys()) return null
  return (
    <>
      <Button size="lg" className={className} isBusy={run.isPending} onClick={() => run.mutate()}>
        {label}
      </Button>
      {run.isError && <PasskeyError error={run.error} />}
    </>
  )
}

/** The browser tells little on purpose: that somebody cancelled, had no passkey, or let the time run out is the same to a page. */
export function PasskeyError({ error }: { error: Error }) {
  const { t } = useTexts()
  if (!(error instanceof DOMException)) return <RequestError error={error} />
  return <Note tone="warn" title={error.name === 'InvalidStateError' ? t('passkeys.alreadyHere') : t('passkeys.notGiven')} />
}
