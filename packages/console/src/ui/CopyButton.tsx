import { Check, Copy } from 'lucide-react'
import { useEffect, useState } from 'react'
import type { ReactNode } from 'react'
import { Button, IconButton } from './Button.tsx'

type Words = { label: string; done: string }

type Props = { getText: () => string; words: Words; isIconOnly?: boolean; size?: 'sm' | 'md'; icon?: ReactNode }

/** Copies text to the clipboard and says that it did. `getText` is called when pressed, so large texts are made only then. */
export function CopyButton({ getText, words, isIconOnly = false, size = 'sm', icon: idle = <Copy size={14} aria-hidden /> }: Props) {
  const [isDone, setDone] = useState(false)
  useEffect(() => {
    if (!isDone) return
    const timer = setTimeout(() => setDone(false), 1_600)
    return () => clearTimeout(timer)
  }, [isDone])
  const copy = () => void copyText(getText()).then(() => setDone(true))
  const icon = isDone ? <Check size={14} aria-hidden className="text-good" /> : idle
  if (isIconOnly)
    return (
      <IconButton label={isDone ? words.done : words.label} size={size} onClick={copy}>
        {icon}
      </IconButton>
    )
  return (
    <Button look="quiet" size={size} onClick={copy}>
      {icon}
      <span aria-live="polite">{isDone ? words.done : words.label}</span>
    </Button>
  )
}

/** The clipboard's interface exists only in secure contexts; a console on another machine's plain HTTP needs the older way. */
async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text)
  const area = document.createElement('textarea')
  area.value = text
  area.style.position = 'fixed'
  area.style.opacity = '0'
  document.body.append(area)
  area.select()
  document.execCommand('copy')
  area.remove()
}
