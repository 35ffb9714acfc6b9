import type { ReactNode } from 'react'
import { SettingsMenu } from '../shell/SettingsMenu.tsx'

/** What surrounds the pages for whoever is not signed in. */
export function SignInFrame({ title, lead, children }: { title: string; lead: string; children: ReactNode }) {
  return (
    <div className="flex min-h-dvh flex-col">
      <header className="flex h-12 items-center justify-end px-4 lg:px-8">
        <SettingsMenu />
      </header>
      <main className="mx-auto w-full max-w-md flex-1 px-4 pt-[10vh] pb-16">
        <svg viewBox="0 0 16 16" className="mb-6 size-8 fill-accent" aria-hidden>
          <path d="M2 2h3v9h3v3H2zM10 2h4v3h-4zM10 7h4v7h-4z" />
        </svg>
        <h1 className="text-2xl font-semibold tracking-tight">{title}</h1>
        <p className="mt-1 text-ink-2">{lead}</p>
        {children}
      </main>
    </div>
  )
}
