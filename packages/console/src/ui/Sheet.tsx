import { useLayoutEffect, useRef } from 'react'
import type { ReactNode } from 'react'
import { cx } from './cx.ts'

type DialogProps = { onClose: () => void; label: string; className: string; isHeld?: boolean; children: ReactNode }

/** The browser's own dialog: it keeps the focus inside, closes on Escape and gives the focus back. Open as long as it is there. */
function Dialog({ onClose, label, className, isHeld = false, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  // Before the paint, and closed while still on the page: from a removed dialog the focus does not find its way back.
  useLayoutEffect(() => {
    const element = dialog.current
    element?.showModal()
    return () => element?.close()
  }, [])
  return (
    <dialog
      ref={dialog}
      aria-label={label}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
      onClick={(event) => !isHeld && event.target === event.currentTarget && onClose()}
      className={cx('overscroll-contain text-ink backdrop:bg-veil', className)}
    >
      {children}
    </dialog>
  )
}

type ModalProps = {
  isOpen: boolean
  onClose: () => void
  title: string
  size?: 'md' | 'lg'
  /** A click beside it does not close it: something is written in it that should not be lost. */
  isHeld?: boolean
  children: ReactNode
}
const modalWidths = { md: 'w-[min(28rem,calc(100vw-2rem))]', lg: 'w-[min(40rem,calc(100vw-2rem))]' }

/** A question in the middle of the page that wants an answer. */
export function Modal({ isOpen, onClose, title, size = 'md', isHeld = false, children }: ModalProps) {
  if (!isOpen) return null
  return (
    <Dialog
      onClose={onClose}
      label={title}
      isHeld={isHeld}
      className={cx('m-auto animate-appear rounded-lg border border-line bg-raised shadow-raised', modalWidths[size])}
    >
      <div className="p-5">
        <h2 className="text-lg font-semibold">{title}</h2>
        {children}
      </div>
    </Dialog>
  )
}

/** A panel over the page on small screens. What is inside brings its own heading and its own way to close. */
export function Sheet({ isOpen, onClose, title, children }: { isOpen: boolean; onClose: () => void; title: string; children: ReactNode }) {
  if (!isOpen) return null
  return (
    <Dialog
      onClose={onClose}
      label={title}
      className="fixed top-10 mb-0 h-[calc(100dvh-2.5rem)] max-h-none w-full max-w-none animate-appear rounded-t-lg border-t border-line bg-surface shadow-raised"
    >
      {/* Takes the focus when the sheet opens; the first button would show a ring that nobody asked for. */}
      <div tabIndex={-1} autoFocus className="flex h-full flex-col outline-none">
        {children}
      </div>
    </Dialog>
  )
}

/** A field with what it finds, near the top of the page. */
export function Palette({ onClose, label, children }: { onClose: () => void; label: string; children: ReactNode }) {
  return (
    <Dialog
      onClose={onClose}
      label={label}
      className="mx-auto mt-[12dvh] w-[min(36rem,calc(100vw-2rem))] animate-appear overflow-hidden rounded-lg border border-line bg-raised p-0 shadow-raised"
    >
      {children}
    </Dialog>
  )
}
