import { Navigate } from '@tanstack/react-router'
import { useLayoutEffect, useRef } from 'react'
import type { ReactNode } from 'react'
import { useMay } from '../../api/permissions.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths, patterns } from '../../paths.ts'
import { Note } from '../../ui/Notes.tsx'
import { AppLink } from '../AppLink.tsx'
import { Guarded } from '../Guarded.tsx'
import { PageHead } from '../PageHead.tsx'
import { settingsSections } from '../settings-permissions.ts'

type Section = (typeof settingsSections)[number]['id']

/** The sections that the visitor may see beside the one that is open. */
export function SettingsFrame({
  section,
  title,
  lead,
  actions,
  children,
}: {
  section: Section
  title?: ReactNode
  lead?: ReactNode
  actions?: ReactNode
  children: ReactNode
}) {
  const { t } = useTexts()
  const may = useMay()
  const sections = useRef<HTMLElement>(null)
  // Beside each other on a phone: the one that is open is brought into sight.
  const isKnown = may('runs:read') !== undefined
  useLayoutEffect(() => {
    // Chromium gives a promise, which is no clean-up.
    void sections.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' })
  }, [section, isKnown])
  const permission = settingsSections.find(({ id }) => id === section)?.permission ?? 'keys:manage'
  return (
    <div className="grid gap-x-10 gap-y-4 md:grid-cols-[9.5rem_minmax(0,1fr)]">
      <nav
        ref={sections}
        aria-label={t('admin.sections')}
        className="-mx-4 flex gap-1 overflow-x-auto px-4 md:sticky md:top-7 md:mx-0 md:flex-col md:self-start md:overflow-visible md:px-0"
      >
        {settingsSections
          .filter(({ permission: needed }) => may(needed))
          .map(({ id }) => (
            <AppLink
              key={id}
              href={paths[id]()}
              className="rounded-md px-2 py-1 text-sm whitespace-nowrap text-ink-2 hover:bg-hover hover:text-ink md:-ml-2"
              activeClass="bg-hover text-ink font-medium"
            >
              {t(`admin.section.${id}`)}
            </AppLink>
          ))}
      </nav>
      <div className="min-w-0">
        <PageHead title={title ?? t(`admin.section.${section}`)} lead={may(permission) ? lead : undefined} actions={may(permission) ? actions : undefined} />
        <Guarded permission={permission}>{children}</Guarded>
      </div>
    </div>
  )
}

/** The first section that the visitor may see. */
export function SettingsPage() {
  const { t } = useTexts()
  const may = useMay()
  if (may('keys:manage') === undefined) return null
  const first = settingsSections.find(({ permission }) => may(permission))
  if (first) return <Navigate to={patterns[first.id]} replace />
  return (
    <>
      <PageHead title={t('admin.nav.settings')} />
      <Note title={t('admin.noRight')}>
        <p className="text-sm text-ink-2">{t('admin.noSection')}</p>
      </Note>
    </>
  )
}
