import { Outlet, useRouter, useRouterState } from '@tanstack/react-router'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { ApiError } from '@longhaul/sdk/client'
import { Menu, Search, WifiOff } from 'lucide-react'
import { Suspense, lazy, useEffect, useRef, useState, useSyncExternalStore } from 'react'
import { onConnectionChange, readConnection } from '../../api/connection.ts'
import { storeKey } from '../../api/key.ts'
import { setMe } from '../../api/login.ts'
import { systemQuery } from '../../api/queries.ts'
import { isStepUpAsked, onStepUpChange } from '../../api/step-up.ts'
import { useTexts, withPageTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { IconButton } from '../../ui/Button.tsx'
import { Hint } from '../../ui/Hint.tsx'
import { Sheet } from '../../ui/Sheet.tsx'
import { useIsWide } from '../../ui/use-media.ts'
import { AppLink } from '../AppLink.tsx'
import { Guarded } from '../Guarded.tsx'
import { placeOf } from './navigation.ts'
import { Places } from './Places.tsx'
import { SettingsMenu } from './SettingsMenu.tsx'
import { useShortcuts } from './use-shortcuts.ts'

const CommandPalette = lazy(withPageTexts(async () => ({ default: (await import('../command/CommandPalette.tsx')).CommandPalette })))
const ShortcutSheet = lazy(withPageTexts(async () => ({ default: (await import('../command/ShortcutSheet.tsx')).ShortcutSheet })))
const StepUpDialog = lazy(withPageTexts(async () => ({ default: (await import('../people/StepUpDialog.tsx')).StepUpDialog })))

/** What surrounds every page: the way around, the settings, and word of a lost connection. */
export function Shell() {
  const { t } = useTexts()
  const isWide = useIsWide()
  const [open, setOpen] = useState<'palette' | 'shortcuts'>()
  const needsSecondFactor = useSyncExternalStore(onStepUpChange, isStepUpAsked)
  useSignOutWhenRejected()
  useFocusOnNewPage()
  useShortcuts({ openPalette: () => setOpen('palette'), openHelp: () => setOpen('shortcuts') })
  const pathname = useRouterState({ select: (state) => state.location.pathname })
  const place = placeOf(pathname)
  return (
    <div className="min-h-dvh lg:grid lg:grid-cols-[13.5rem_minmax(0,1fr)]">
      <a href="#content" className="sr-only z-50 rounded-md bg-accent px-3 py-2 text-on-accent focus:not-sr-only focus:fixed focus:top-2 focus:left-2">
        {t('app.skip')}
      </a>
      {isWide ? <SideBar openPalette={() => setOpen('palette')} /> : <TopBar openPalette={() => setOpen('palette')} />}
      <div className="flex min-w-0 flex-col">
        <ConnectionBanner />
        <main id="content" tabIndex={-1} className="mx-auto w-full max-w-[84rem] flex-1 px-4 pt-5 pb-16 outline-none lg:px-8 lg:pt-7">
          {typeof place?.permission === 'string' ? (
            <Guarded permission={place.permission}>
              <Outlet />
            </Guarded>
          ) : (
            <Outlet />
          )}
        </main>
      </div>
      <Suspense>{needsSecondFactor && <StepUpDialog />}</Suspense>
      <Suspense>
        {open === 'palette' && <CommandPalette onClose={() => setOpen(undefined)} openHelp={() => setOpen('shortcuts')} />}
        {open === 'shortcuts' && <ShortcutSheet onClose={() => setOpen(undefined)} />}
      </Suspense>
    </div>
  )
}

function SideBar({ openPalette }: { openPalette: () => void }) {
  const { t } = useTexts()
  const { data: system } = useQuery(systemQuery())
  return (
    <header className="sticky top-0 flex h-dvh flex-col gap-4 overflow-y-auto border-r border-line px-3 pt-4 pb-3">
      <Brand />
      <button
        type="button"
        onClick={openPalette}
        className="flex h-8 shrink-0 items-center gap-2 rounded-md border border-line bg-surface px-2 text-sm text-ink-3 transition-colors hover:border-line-strong"
      >
        <Search size={14} aria-hidden />
        {t('command.open')}
        <kbd className="ml-auto text-xs" aria-hidden>
          {isApple ? '⌘K' : 'Ctrl K'}
        </kbd>
      </button>
      <Places />
      <div className="mt-auto space-y-2 pt-4">
        {system?.models.offline && <OfflineChip />}
        <p className="truncate px-2 text-xs text-ink-3" title={system?.caller.name}>
          {system?.caller.name}
        </p>
        <div className="flex items-center gap-1">
          <SettingsMenu keyName={system?.caller.name} place="side" />
        </div>
      </div>
    </header>
  )
}

function TopBar({ openPalette }: { openPalette: () => void }) {
  const { t } = useTexts()
  const { data: system } = useQuery(systemQuery())
  const [isOpen, setOpen] = useState(false)
  const pathname = useRouterState({ select: (state) => state.location.pathname })
  useEffect(() => setOpen(false), [pathname])
  return (
    <header className="sticky top-0 z-30 flex h-12 items-center gap-1 border-b border-line bg-canvas px-2 sm:px-4">
      <IconButton label={t('shell.menu')} onClick={() => setOpen(true)}>
        <Menu size={18} aria-hidden />
      </IconButton>
      <Brand />
      <div className="ml-auto flex items-center gap-1">
        {system?.models.offline && (
          <span className="hidden sm:block">
            <OfflineChip />
          </span>
        )}
        <IconButton label={t('command.open')} onClick={openPalette}>
          <Search size={17} aria-hidden />
        </IconButton>
        <SettingsMenu keyName={system?.caller.name} place="top" />
      </div>
      <Sheet isOpen={isOpen} onClose={() => setOpen(false)} title={t('shell.menu')}>
        <div className="overflow-y-auto p-4">
          <Places size="lg" />
        </div>
      </Sheet>
    </header>
  )
}

const isApple = /mac|iphone|ipad/i.test(navigator.userAgent)

const Brand = () => {
  const { t } = useTexts()
  return (
    <AppLink href={paths.home()} className="flex h-8 w-fit items-center gap-2 rounded-sm px-2 font-semibold tracking-tight">
      <svg viewBox="0 0 16 16" className="size-[18px] fill-accent" aria-hidden>
        <path d="M2 2h3v9h3v3H2zM10 2h4v3h-4zM10 7h4v7h-4z" />
      </svg>
      {t('app.name')}
    </AppLink>
  )
}

function OfflineChip() {
  const { t } = useTexts()
  return (
    <Hint text={t('connection.offlineTitle')}>
      <AppLink href={paths.system()} className="inline-flex h-6 items-center rounded-md bg-warn-soft px-2 text-xs font-medium text-warn">
        {t('connection.offlineChip')}
      </AppLink>
    </Hint>
  )
}

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
    <div role="status" aria-live="polite" className="sticky top-12 z-20 lg:top-0">
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
    setMe(null)
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
