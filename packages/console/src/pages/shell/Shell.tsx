import { Outlet, useRouter, useRouterState } from '@tanstack/react-router'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { ApiError } from '@longhaul/sdk/client'
import { WifiOff } from 'lucide-react'
import { useEffect, useRef, useSyncExternalStore } from 'react'
import { onConnectionChange, readConnection } from '../api/connection.ts'
import { storeKey } from '../api/key.ts'
import { approvalsQuery, systemQuery } from '../api/queries.ts'
import { useTexts } from '../i18n/index.ts'
import { paths } from '../paths.ts'
import { cx } from '../ui/cx.ts'
import { Hint } from '../ui/Hint.tsx'
import { AppLink } from './AppLink.tsx'
import { SettingsMenu } from './SettingsMenu.tsx'

/** What surrounds every page: the way around, the settings, and word of a lost connection. */
export function Shell() {
  const { t } = useTexts()
  useSignOutWhenRejected()
  useFocusOnNewPage()
  return (
    <div className="flex min-h-dvh flex-col">
      <a href="#content" className="sr-only z-50 rounded-md bg-accent px-3 py-2 text-on-accent focus:not-sr-only focus:fixed focus:top-2 focus:left-2">
        {t('app.skip')}
      </a>
      <Header />
      <ConnectionBanner />
      <main id="content" tabIndex={-1} className="mx-auto w-full max-w-[92rem] flex-1 px-4 pt-6 pb-16 outline-none lg:px-8">
        <Outlet />
      </main>
    </div>
  )
}

function Header() {
  const { t } = useTexts()
  const { data: system } = useQuery(systemQuery())
  const { data: pending } = useQuery(approvalsQuery('pending'))
  const count = pending?.items.length ?? 0
  return (
    <header className="sticky top-0 z-30 border-b border-line bg-canvas">
      <div className="mx-auto flex h-12 max-w-[92rem] items-center gap-1 px-4 sm:gap-3 lg:px-8">
        <AppLink href={paths.home()} className="mr-1 flex items-center gap-2 rounded-sm font-semibold tracking-tight sm:mr-3">
          <Mark />
          <span className="hidden sm:inline">{t('app.name')}</span>
        </AppLink>
        <nav aria-label={t('nav.label')} className="flex h-full items-center">
          <NavLink href={paths.home()} isExact>
            {t('nav.ask')}
          </NavLink>
          <NavLink href={paths.runs()}>{t('nav.runs')}</NavLink>
          <NavLink href={paths.approvals()}>
            {t('nav.approvals')}
            {count > 0 && (
              <span
                aria-label={t('nav.pending', { count })}
                className="ml-1.5 inline-flex h-4 min-w-4 items-center justify-center rounded-sm bg-warn-soft px-1 text-xs font-medium text-warn"
              >
                {count}
                {pending?.next ? '+' : ''}
              </span>
            )}
          </NavLink>
          <NavLink href={paths.system()}>{t('nav.system')}</NavLink>
        </nav>
        <div className="ml-auto flex items-center gap-1">
          {system?.models.offline && (
            <Hint text={t('connection.offlineTitle')}>
              <AppLink href={paths.system()} className="mr-1 hidden h-6 items-center rounded-md bg-warn-soft px-2 text-xs font-medium text-warn md:inline-flex">
                {t('connection.offlineChip')}
              </AppLink>
            </Hint>
          )}
          <SettingsMenu keyName={system?.caller.name} />
        </div>
      </div>
    </header>
  )
}

function NavLink({ href, isExact = false, children }: { href: string; isExact?: boolean; children: React.ReactNode }) {
  return (
    <AppLink
      href={href}
      isExact={isExact}
      activeClass="text-ink font-medium shadow-[inset_0_-2px_0_var(--color-accent)]"
      className={cx('inline-flex h-full items-center px-1.5 text-sm text-ink-2 transition-colors hover:text-ink focus-visible:outline-offset-[-4px] sm:px-3')}
    >
      {children}
    </AppLink>
  )
}

const Mark = () => (
  <svg viewBox="0 0 16 16" className="size-[18px] fill-accent" aria-hidden>
    <path d="M2 2h3v9h3v3H2zM10 2h4v3h-4zM10 7h4v7h-4z" />
  </svg>
)

function ConnectionBanner() {
  const { t } = useTexts()
  const queryClient = useQueryClient()
  const { isLost } = useSyncExternalStore(onConnectionChange, readConnection)
  const wasLost = useRef(false)
  useEffect(() => {
    if (wasLost.current && !isLost) void queryClient.invalidateQueries()
    wasLost.current = isLost
  }, [isLost, queryClient])
  return (
    <div role="status" aria-live="polite" className="sticky top-12 z-20">
      {isLost && (
        <p className="flex animate-appear items-center justify-center gap-2 border-b border-warn/30 bg-warn-soft px-4 py-1.5 text-sm text-warn">
          <WifiOff size={15} aria-hidden className="shrink-0" />
          {t('connection.lost')}
        </p>
      )}
    </div>
  )
}

/** A key that was good and no longer is: back to the sign-in page, which says so. */
function useSignOutWhenRejected(): void {
  const router = useRouter()
  const { error } = useQuery(systemQuery())
  const isRejected = error instanceof ApiError && error.code === 'unauthenticated'
  useEffect(() => {
    if (!isRejected) return
    const to = router.state.location.href
    storeKey(null)
    void router.navigate({ href: paths.signIn({ to: to === '/' ? undefined : to, rejected: 'yes' }) })
  }, [isRejected, router])
}

/** Moves the focus to the page's start when the page changes, as a browser does without scripts. */
function useFocusOnNewPage(): void {
  const pathname = useRouterState({ select: (state) => state.location.pathname })
  const before = useRef(pathname)
  useEffect(() => {
    if (before.current === pathname) return
    before.current = pathname
    document.getElementById('content')?.focus({ preventScroll: true })
  }, [pathname])
}
