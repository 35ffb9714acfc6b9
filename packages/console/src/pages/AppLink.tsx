import { Link } from '@tanstack/react-router'
import type { ComponentProps } from 'react'
import { readQuery } from '../paths.ts'

type Props = Pick<ComponentProps<'a'>, 'className' | 'children' | 'id'> & {
  href: string
  replace?: boolean
  activeClass?: string
  isExact?: boolean
  resetScroll?: boolean
  /** Of a part of a page: whether it is the one that is shown. */
  isCurrent?: boolean
}

/** A link to an address made by `paths`. */
export function AppLink({ href, activeClass, isExact = false, isCurrent, ...rest }: Props) {
  const [pathname = href, query = ''] = href.split('?', 2)
  return (
    <Link
      {...rest}
      to={pathname}
      search={readQuery(query) as never} // The route's own `validateSearch` reads it; the router's types know literal addresses only.
      activeOptions={{ exact: isExact, includeSearch: isCurrent !== undefined }}
      {...(isCurrent && { 'aria-current': 'page' })}
      {...(activeClass ? { activeProps: { className: activeClass } } : {})}
    />
  )
}
