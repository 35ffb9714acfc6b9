import { useQuery } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { Activity, Bot, Cpu, Keyboard, Languages, LogOut, SlidersHorizontal, SunMoon, Wrench } from 'lucide-react'
import type { LucideIcon } from 'lucide-react'
import { useEffect, useId, useMemo, useRef, useState } from 'react'
import type { KeyboardEvent } from 'react'
import { storeKey } from '../../api/key.ts'
import { useMay } from '../../api/permissions.ts'
import { agentsQuery, runsQuery } from '../../api/queries.ts'
import { setLanguage, useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { cx } from '../../ui/cx.ts'
import { Palette } from '../../ui/Sheet.tsx'
import { useTheme } from '../appearance.ts'
import { modelPages } from '../models/ModelTabs.tsx'
import { questionOf } from '../runs/run-facts.ts'
import { settingsSections } from '../settings-permissions.ts'
import { mayGo, navigation } from '../shell/navigation.ts'
import { matches } from './matches.ts'

type Command = { id: string; group: string; name: string; note?: string | undefined; icon: LucideIcon; run: () => void }

/** One field that leads everywhere: pages, agents, runs by what was asked or by number, and what can be switched. */
export function CommandPalette({ onClose, openHelp }: { onClose: () => void; openHelp: () => void }) {
  const { t, language } = useTexts()
  const router = useRouter()
  const may = useMay()
  const list = useId()
  const [text, setText] = useState('')
  const [sought, setSought] = useState('')
  const [at, setAt] = useState(0)
  const [theme, setTheme] = useTheme()
  const box = useRef<HTMLUListElement>(null)
  useEffect(() => {
    const timer = setTimeout(() => setSought(text.trim()), 200)
    return () => clearTimeout(timer)
  }, [text])
  const mayRead = may('runs:read') === true
  const agents = useQuery({ ...agentsQuery(), enabled: may('agents:read') === true })
  const runs = useQuery({ ...runsQuery(sought.length >= 2 ? { search: sought.slice(0, 200) } : {}, 6), enabled: mayRead })
  const isRunId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text.trim())

  const commands = useMemo(() => {
    const go = (href: string) => () => void router.navigate({ href })
    const all: Command[] = [
      ...navigation.flatMap(({ places }) =>
        places
          .filter((place) => mayGo(may, place) !== false)
          .map(({ href, name, icon, key }) => ({ id: href, group: t('command.pages'), name: name(t), note: key && `g ${key}`, icon, run: go(href) })),
      ),
      ...modelPages
        .filter(({ permission }) => may(permission) !== false)
        .map(({ href, name }) => ({ id: href, group: t('models.title'), name: name(t), icon: Cpu, run: go(href) })),
      ...(may('agents:read') === false
        ? []
        : [{ id: paths.marketplace(), group: t('admin.nav.tools'), name: t('marketplace.title'), icon: Wrench, run: go(paths.marketplace()) }]),
      ...settingsSections
        .filter(({ permission }) => may(permission) !== false)
        .map(({ id }) => ({
          id: `settings ${id}`,
          group: t('admin.nav.settings'),
          name: t(`admin.section.${id}`),
          icon: SlidersHorizontal,
          run: go(paths[id]()),
        })),
      ...(agents.data?.items ?? []).map(({ name }) => ({ id: `agent ${name}`, group: t('agents.title'), name, icon: Bot, run: go(paths.agent(name)) })),
      { id: 'theme', group: t('command.do'), name: t('command.theme'), icon: SunMoon, run: () => setTheme(theme === 'dark' ? 'light' : 'dark') },
      {
        id: 'language',
        group: t('command.do'),
        name: t('settings.otherLanguageLabel'),
        icon: Languages,
        run: () => void setLanguage(language === 'en' ? 'zh' : 'en'),
      },
      { id: 'keys', group: t('command.do'), name: t('command.shortcuts'), note: '?', icon: Keyboard, run: openHelp },
      {
        id: 'out',
        group: t('command.do'),
        name: t('settings.signOut'),
        icon: LogOut,
        run: () => {
          storeKey(null)
          void router.navigate({ href: paths.signIn() })
        },
      },
    ]
    return [
      ...(isRunId
        ? [{ id: 'run', group: t('runs.title'), name: t('command.openRun', { id: text.trim() }), icon: Activity, run: go(paths.run(text.trim())) }]
        : []),
      ...all.filter(({ name, group }) => matches(`${name} ${group}`, text)),
      // The server has found these by what it looked for, which may be a moment behind what is written.
      ...(mayRead && (sought.length >= 2 || text.trim() === '') ? (runs.data?.items ?? []) : []).map((run) => ({
        id: run.id,
        group: t('runs.title'),
        name: questionOf(run.input).slice(0, 200) || t('runs.noInput'),
        note: run.agent,
        icon: Activity,
        run: go(paths.run(run.id)),
      })),
    ]
  }, [router, may, t, agents.data, runs.data, theme, setTheme, language, openHelp, text, sought, isRunId, mayRead])
  const chosen = Math.min(at, commands.length - 1)

  useEffect(() => {
    box.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' })
  }, [chosen])

  const choose = (command: Command | undefined) => {
    if (!command) return
    onClose()
    command.run()
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return
    const to = { ArrowDown: chosen + 1, ArrowUp: chosen - 1, Home: 0, End: commands.length - 1 }[event.key]
    if (to !== undefined && (event.key.startsWith('Arrow') || text === '')) {
      event.preventDefault()
      setAt((to + commands.length) % Math.max(1, commands.length))
    } else if (event.key === 'Enter') {
      event.preventDefault()
      choose(commands[chosen])
    }
  }
  return (
    <Palette onClose={onClose} label={t('command.title')}>
      <input
        type="text"
        role="combobox"
        aria-label={t('command.placeholder')}
        aria-expanded
        aria-controls={list}
        aria-activedescendant={commands.length > 0 ? `${list}-${chosen}` : undefined}
        autoFocus
        autoComplete="off"
        spellCheck={false}
        placeholder={t('command.placeholder')}
        maxLength={200}
        value={text}
        onChange={(event) => {
          setText(event.target.value)
          setAt(0)
        }}
        onKeyDown={onKeyDown}
        className="h-12 w-full border-b border-line bg-transparent px-4 text-lg outline-none"
      />
      <ul ref={box} id={list} role="listbox" aria-label={t('command.title')} className="max-h-[min(26rem,60dvh)] overflow-y-auto p-1.5">
        {commands.map((command, i) => (
          <li key={command.id} role="presentation">
            {commands[i - 1]?.group !== command.group && (
              <p aria-hidden className="px-2.5 pt-2 pb-1 text-xs text-ink-3">
                {command.group}
              </p>
            )}
            <div
              id={`${list}-${i}`}
              role="option"
              aria-selected={i === chosen}
              onPointerMove={() => setAt(i)}
              onClick={() => choose(command)}
              className={cx('flex h-9 cursor-pointer items-center gap-2.5 rounded-md px-2.5 text-sm', i === chosen && 'bg-hover')}
            >
              <command.icon size={15} strokeWidth={1.75} aria-hidden className="shrink-0 text-ink-3" />
              <span className="min-w-0 flex-1 truncate">{command.name}</span>
              {command.note && <span className="shrink-0 text-xs text-ink-3">{command.note}</span>}
            </div>
          </li>
        ))}
      </ul>
      {commands.length === 0 && <p className="px-4 pb-4 text-sm text-ink-3">{t('command.none')}</p>}
    </Palette>
  )
}
