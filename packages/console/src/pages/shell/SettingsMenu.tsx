import { useRouter } from '@tanstack/react-router'
import { Languages, LogOut, Moon, Settings2, Sun } from 'lucide-react'
import { plainClient } from '../../api/client.ts'
import { readKey, storeKey } from '../../api/key.ts'
import { readMe, setMe } from '../../api/login.ts'
import { languages, setLanguage, useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Button, IconButton } from '../../ui/Button.tsx'
import { cx } from '../../ui/cx.ts'
import { Segmented } from '../../ui/Fields.tsx'
import { useMedia } from '../../ui/use-media.ts'
import { AppLink } from '../AppLink.tsx'
import { themes, useTheme } from '../appearance.ts'

/** Language and theme at hand, and who is signed in. `keyName` is absent on the sign-in page. */
export function SettingsMenu({ keyName, place = 'top' }: { keyName?: string | undefined; place?: 'top' | 'side' }) {
  const { t, language } = useTexts()
  const router = useRouter()
  const [theme, setTheme] = useTheme()
  const systemIsDark = useMedia('(prefers-color-scheme: dark)')
  const isDark = theme === 'dark' || (theme === 'system' && systemIsDark)
  const names = { en: 'English', zh: '中文' }
  const me = readMe()
  const signOut = async () => {
    if (readKey() === null) await plainClient.me.signout({})
    storeKey(null)
    setMe(null)
    void router.navigate({ href: paths.signIn() })
  }
  return (
    <>
      <Button
        look="quiet"
        size="sm"
        aria-label={`${t('settings.otherLanguage')}: ${t('settings.otherLanguageLabel')}`}
        onClick={() => void setLanguage(language === 'en' ? 'zh' : 'en')}
      >
        <Languages size={15} aria-hidden />
        <span className={place === 'side' ? 'hidden' : 'hidden sm:inline'} lang={language === 'en' ? 'zh' : 'en'}>
          {t('settings.otherLanguage')}
        </span>
      </Button>
      <span className="hidden sm:contents">
        <IconButton label={isDark ? t('settings.toLight') : t('settings.toDark')} onClick={() => setTheme(isDark ? 'light' : 'dark')}>
          {isDark ? <Sun size={16} aria-hidden /> : <Moon size={16} aria-hidden />}
        </IconButton>
      </span>
      <button
        type="button"
        popoverTarget="settings"
        aria-label={t('settings.open')}
        className="inline-flex size-8 items-center justify-center rounded-md text-ink-2 transition-colors hover:bg-hover hover:text-ink"
      >
        <Settings2 size={16} aria-hidden />
      </button>
      <div
        id="settings"
        popover="auto"
        role="dialog"
        aria-label={t('settings.open')}
        className={cx(
          'fixed inset-auto m-0 w-72 animate-appear rounded-lg border border-line bg-raised text-sm text-ink shadow-raised',
          place === 'side' ? 'bottom-14 left-3' : 'top-14 right-4 lg:right-8',
        )}
      >
        <div className="space-y-4 p-4">
          <div className="flex items-center justify-between gap-3">
            <span className="text-ink-2">{t('settings.language')}</span>
            <Segmented
              label={t('settings.language')}
              value={language}
              options={languages.map((value) => ({ value, label: names[value] }))}
              onChange={(chosen) => void setLanguage(chosen)}
            />
          </div>
          <div className="flex items-center justify-between gap-3">
            <span className="text-ink-2">{t('settings.theme')}</span>
            <Segmented
              label={t('settings.theme')}
              value={theme}
              options={themes.map((value) => ({ value, label: t(`settings.${value}`) }))}
              onChange={setTheme}
            />
          </div>
          {keyName !== undefined && (
            <div className="space-y-2 border-t border-line pt-3">
              <p className="text-ink-2">
                {me ? t('people.signedInAs') : t('settings.signedInAs')} <span className="font-medium break-all text-ink">{keyName}</span>
              </p>
              {me && (
                <p>
                  <AppLink href={paths.me()} className="rounded-sm text-accent hover:underline">
                    {t('people.myAccount')}
                  </AppLink>
                </p>
              )}
              <Button size="sm" onClick={() => void signOut()}>
                <LogOut size={14} aria-hidden />
                {t('settings.signOut')}
              </Button>
            </div>
          )}
        </div>
      </div>
    </>
  )
}
