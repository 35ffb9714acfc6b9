import { useRouterState } from '@tanstack/react-router'
import { cx } from '../ui/cx.ts'
import { AppLink } from './AppLink.tsx'

/** Links to parts of one page. `isOpen` where they differ in more than their path. */
export function Tabs({ label, tabs }: { label: string; tabs: readonly { href: string; label: string; isOpen?: boolean }[] }) {
  const pathname = useRouterState({ select: ({ location }) => location.pathname })
  return (
    <nav aria-label={label} className="mb-4 flex gap-4 overflow-x-auto border-b border-line">
      {tabs.map(({ href, label: name, isOpen = href.split('?')[0] === pathname }) => (
        <AppLink
          key={href}
          href={href}
          resetScroll={false}
          isCurrent={isOpen}
          className={cx(
            'inline-flex h-8 shrink-0 items-center border-b-2 text-sm whitespace-nowrap focus-visible:-outline-offset-2',
            isOpen ? 'border-accent font-medium text-ink' : 'border-transparent text-ink-2 hover:text-ink',
          )}
        >
          {name}
        </AppLink>
      ))}
    </nav>
  )
}
