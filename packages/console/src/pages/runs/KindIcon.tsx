import {
  Boxes,
  CircleStop,
  Clock,
  CornerDownRight,
  File,
  Flag,
  FolderOpen,
  GitFork,
  Hand,
  Inbox,
  MessageSquareText,
  Network,
  Play,
  Plug,
  Radio,
  SquareTerminal,
  Stamp,
  Unplug,
  Wrench,
} from 'lucide-react'
import type { LucideIcon } from 'lucide-react'
import type { Subject } from '../../timeline/index.ts'
import { cx } from '../../ui/cx.ts'

const stepIcons = {
  model: MessageSquareText,
  tool: Wrench,
  exec: SquareTerminal,
  files: FolderOpen,
  artifact: File,
  run: Network,
  step: CornerDownRight,
  connect: Plug,
  invoke: Boxes,
  call: Wrench,
} as const
const waitIcons = { timer: Clock, signal: Radio, approval: Stamp, run: Network, operator: Hand } as const
const markIcons = {
  'run.started': Play,
  'run.interrupted': Unplug,
  'run.resumed': Play,
  'run.completed': Flag,
  'run.failed': CircleStop,
  'run.cancelled': CircleStop,
  'signal.received': Inbox,
} as const

export function KindIcon({ subject, isBad = false, size = 14 }: { subject: Subject; isBad?: boolean; size?: number }) {
  const Icon = iconOf(subject)
  const ink = isBad
    ? 'text-bad'
    : subject.type === 'step' && subject.kind === 'model'
      ? 'text-accent'
      : subject.type === 'mark' && subject.event === 'run.interrupted'
        ? 'text-warn'
        : 'text-ink-3'
  return <Icon size={size} strokeWidth={1.8} aria-hidden className={cx('shrink-0', ink)} />
}

function iconOf(subject: Subject): LucideIcon {
  switch (subject.type) {
    case 'step':
      return stepIcons[subject.kind]
    case 'wait':
      return waitIcons[subject.kind]
    case 'branch':
      return GitFork
    case 'mark':
      return markIcons[subject.event]
  }
}
