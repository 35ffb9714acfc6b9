import { useMutation } from '@tanstack/react-query'
import { plainClient } from '../../api/client.ts'
import { useTexts } from '../../i18n/index.ts'
import { Button } from '../../ui/Button.tsx'
import { RequestError } from '../ErrorPages.tsx'

const wantedKey = 'longhaul.wanted'

/** The page that was wanted before the browser went to the provider and back. */
export function takeWanted(): string | undefined {
  const wanted = sessionStorage.getItem(wantedKey) ?? undefined
  sessionStorage.removeItem(wantedKey)
  return wanted
}

/** Off to the tenant's provider. */
export function SsoButton({ tenant, to }: { tenant: string; to: string | undefined }) {
  const { t } = useTexts()
  const begin = useMutation({
    mutationFn: () => plainClient.signin.sso({ tenant: tenant.trim() }),
    onSuccess: ({ address }) => {
      if (to === undefined) sessionStorage.removeItem(wantedKey)
      else sessionStorage.setItem(wantedKey, to)
      location.assign(address)
    },
  })
  return (
    <>
      <Button size="lg" className="w-full" isBusy={begin.isPending} onClick={() => begin.mutate()}>
        {t('sso.begin')}
      </Button>
      {begin.isError && <RequestError error={begin.error} />}
    </>
  )
}
