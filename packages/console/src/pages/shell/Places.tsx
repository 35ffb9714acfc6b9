import { useMay } from '../../api/permissions.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { AppLink } from '../AppLink.tsx'
import { mayGo, navigation } from './navigation.ts'

/** The pages that the visitor may go to. `size`: lines for a mouse, or for a thumb. */
export function Places({ size = 'md' }: { size?: 'md' | 'lg' }) {
  const { t } = useTexts()
  const may = useMay()
  return (
    <nav aria-label={t('nav.label')} className="space-y-4">
      {navigation.map((group, i) => {
        const places = group.places.filter((place) => mayGo(may, place) === true)
        if (places.length === 0) return null
        return (
          <div key={i}>
            <p className="mb-1 px-2 text-xs text-ink-3">{group.name(t)}</p>
            <ul>
              {places.map(({ href, name, icon: Icon, Count }) => (
                <li key={href}>
                  <AppLink
                    href={href}
                    isExact={href === paths.home()}
                    activeClass="bg-hover font-medium text-ink"
                    className={`flex items-center gap-2.5 rounded-md px-2 text-ink-2 transition-colors hover:bg-hover hover:text-ink ${size === 'lg' ? 'h-11 text-base' : 'h-7.5 text-sm'}`}
                  >
                    <Icon size={size === 'lg' ? 18 : 15} strokeWidth={1.75} aria-hidden className="shrink-0" />
                    {name(t)}
                    {Count && <Count />}
                  </AppLink>
                </li>
              ))}
            </ul>
          </div>
        )
      })}
    </nav>
  )
}
