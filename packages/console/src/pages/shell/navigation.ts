import type { Permission } from '@longhaul/protocol'
import {
  Activity,
  Bot,
  Box,
  Brain,
  CalendarClock,
  Cpu,
  House,
  ListChecks,
  MessagesSquare,
  ScrollText,
  Server,
  SlidersHorizontal,
  TriangleAlert,
  Wallet,
  Wrench,
} from 'lucide-react'
import type { LucideIcon } from 'lucide-react'
import type { ComponentType } from 'react'
import type { Translate } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { settingsPermissions } from '../settings-permissions.ts'
import { AttentionCount, PendingCount } from './counts.tsx'

export type Place = {
  href: string
  name: (t: Translate) => string
  icon: LucideIcon
  /** Without it, or without one of them, the place is neither shown nor reached. */
  permission: Permission | readonly Permission[]
  /** The letter that leads there after `g`. */
  key?: string
  /** What waits there. */
  Count?: ComponentType
}

/** Every page that the visitor goes to by name, in the order and the groups in which they are shown. */
export const navigation: readonly { name: (t: Translate) => string; places: readonly Place[] }[] = [
  {
    name: (t) => t('shell.work'),
    places: [
      { href: paths.home(), name: (t) => t('overview.title'), icon: House, permission: 'runs:read', key: 'h' },
      { href: paths.chat(), name: (t) => t('chat.title'), icon: MessagesSquare, permission: 'runs:write', key: 'c' },
      { href: paths.runs(), name: (t) => t('runs.title'), icon: Activity, permission: 'runs:read', key: 'r' },
      { href: paths.attention(), name: (t) => t('attention.title'), icon: TriangleAlert, permission: 'runs:read', key: 'n', Count: AttentionCount },
      { href: paths.approvals(), name: (t) => t('approvals.title'), icon: ListChecks, permission: 'runs:read', key: 'p', Count: PendingCount },
    ],
  },
  {
    name: (t) => t('shell.build'),
    places: [
      { href: paths.agents(), name: (t) => t('agents.title'), icon: Bot, permission: 'agents:read', key: 'a' },
      { href: paths.schedules(), name: (t) => t('schedules.title'), icon: CalendarClock, permission: 'runs:read', key: 's' },
      { href: paths.tools(), name: (t) => t('admin.nav.tools'), icon: Wrench, permission: 'agents:read', key: 't' },
      { href: paths.memory(), name: (t) => t('memory.title'), icon: Brain, permission: 'runs:read', key: 'o' },
      { href: paths.sandboxes(), name: (t) => t('admin.nav.sandboxes'), icon: Box, permission: 'sandboxes:read', key: 'x' },
    ],
  },
  {
    name: (t) => t('shell.run'),
    places: [
      { href: paths.models(), name: (t) => t('models.title'), icon: Cpu, permission: 'system:read', key: 'm' },
      { href: paths.budgets(), name: (t) => t('money.title'), icon: Wallet, permission: 'money:read', key: 'b' },
      { href: paths.system(), name: (t) => t('system.title'), icon: Server, permission: 'system:read', key: 'y' },
      { href: paths.audit(), name: (t) => t('admin.nav.audit'), icon: ScrollText, permission: 'audit:read', key: 'u' },
      { href: paths.settings(), name: (t) => t('admin.nav.settings'), icon: SlidersHorizontal, permission: settingsPermissions, key: 'e' },
    ],
  },
]

/** Whether the visitor may go there. Undefined until it is known. */
export function mayGo(may: (permission: Permission) => boolean | undefined, { permission }: Place): boolean | undefined {
  const each = [permission].flat().map(may)
  return each.includes(true) ? true : each.includes(undefined) ? undefined : false
}

/** The place that an address belongs to. */
export function placeOf(pathname: string): Place | undefined {
  return navigation
    .flatMap(({ places }) => places)
    .find(({ href }) => (href === paths.home() ? pathname === href : pathname === href || pathname.startsWith(`${href}/`)))
}
