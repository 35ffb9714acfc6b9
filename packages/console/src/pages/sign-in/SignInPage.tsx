import { useRouter, useSearch } from '@tanstack/react-router'
import { useMutation } from '@tanstack/react-query'
import { ApiError } from '@longhaul/sdk/client'
import { Eye, EyeOff } from 'lucide-react'
import { useState } from 'react'
import type { FormEvent } from 'react'
import { clientWithKey } from '../../api/client.ts'
import { storeKey } from '../../api/key.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths, patterns } from '../../paths.ts'
import { Button, IconButton } from '../../ui/Button.tsx'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { TextInput } from '../../ui/Fields.tsx'
import { ErrorNote, Note } from '../../ui/Notes.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { SettingsMenu } from '../shell/SettingsMenu.tsx'

export function SignInPage() {
  const { t } = useTexts()
  const router = useRouter()
  const { to, rejected } = useSearch({ from: patterns.signIn })
  const [key, setKey] = useState('')
  const [isShown, setShown] = useState(false)
  const signIn = useMutation({
    mutationFn: tryKey,
    onSuccess: (_, good) => {
      storeKey(good)
      void router.navigate({ href: to ?? paths.home() })
    },
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (key.trim()) signIn.mutate(key.trim())
  }
  const isWrong = signIn.error instanceof ApiError && signIn.error.code === 'unauthenticated'
  return (
    <div className="flex min-h-dvh flex-col">
      <header className="flex h-12 items-center justify-end px-4 lg:px-8">
        <SettingsMenu />
      </header>
      <main className="mx-auto w-full max-w-md flex-1 px-4 pt-[10vh] pb-16">
        <svg viewBox="0 0 16 16" className="mb-6 size-8 fill-accent" aria-hidden>
          <path d="M2 2h3v9h3v3H2zM10 2h4v3h-4zM10 7h4v7h-4z" />
        </svg>
        <h1 className="text-2xl font-semibold tracking-tight">{t('signIn.title')}</h1>
        <p className="mt-1 text-ink-2">{t('signIn.lead')}</p>
        <form onSubmit={submit} className="mt-6 space-y-3">
          {rejected && !signIn.isError && <Note tone="warn" title={t('signIn.rejected')} />}
          <div>
            <label htmlFor="key" className="mb-1.5 block text-sm font-medium">
              {t('signIn.key')}
            </label>
            <div className="flex gap-2">
              <TextInput
                id="key"
                name="key"
                type={isShown ? 'text' : 'password'}
                autoComplete="current-password"
                autoFocus
                spellCheck={false}
                value={key}
                aria-invalid={isWrong}
                onChange={(event) => setKey(event.target.value)}
                className="font-mono text-sm"
              />
              <IconButton label={isShown ? t('signIn.hide') : t('signIn.show')} className="size-9" onClick={() => setShown(!isShown)}>
                {isShown ? <EyeOff size={16} aria-hidden /> : <Eye size={16} aria-hidden />}
              </IconButton>
            </div>
          </div>
          <Button
            type="submit"
            look="primary"
            size="lg"
            className="w-full"
            isBusy={signIn.isPending}
            disabledBecause={key.trim() ? undefined : t('signIn.empty')}
          >
            {t('signIn.submit')}
          </Button>
          {isWrong && <ErrorNote title={t('signIn.wrong')} cause={t('signIn.wrongText')} />}
          {signIn.isError && !isWrong && <RequestError error={signIn.error} />}
        </form>
        <section className="mt-10 space-y-3 text-sm text-ink-2">
          <h2 className="font-semibold text-ink">{t('signIn.where')}</h2>
          <p>{t('signIn.whereText')}</p>
          <p className="flex items-center justify-between rounded-md border border-line bg-surface py-1 pr-1 pl-3 text-ink">
            <code className="text-xs">cat .longhaul/credentials.json</code>
            <CopyButton isIconOnly getText={() => 'cat .longhaul/credentials.json'} words={{ label: t('common.copy'), done: t('common.copied') }} />
          </p>
          <p>{t('signIn.whereLink')}</p>
        </section>
      </main>
    </div>
  )
}

/** A key that is known but may not read the system page is still a good key. */
async function tryKey(key: string): Promise<void> {
  try {
    await clientWithKey(key).system.get({})
  } catch (error) {
    if (!(error instanceof ApiError && error.code === 'forbidden')) throw error
  }
}
