import { useEffect, useRef } from 'react'
import type { ReactNode } from 'react'
import { cx } from './cx.ts'

/** The browser's own dialog: it keeps the focus inside, closes on Escape and gives the focus back. */
function Dialog({ isOpen, onClose, label, className, children }: { isOpen: boolean; onClose: () => void; label: string; className: string; children: ReactNode }) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const element = dialog.current
    if (!isOpen || !element) return
    element.showModal()
    // The page behind must not scroll away under the reader.
    document.documentElement.style.overflow = 'hidden'
    return () => {
      document.documentElement.style.overflow = ''
      element.close()
    }
  }, [isOpen])
  if (!isOpen) return null
  return (
    <dialog
      ref={dialog}
      aria-label={label}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
      onClick={(event) => event.target === event.currentTarget && onClose()}
      className={cx('text-ink backdrop:bg-veil', className)}
    >
      {children}
    </dialog>
  )
}

/** A question in the middle of the page that wants an answer. */
export function Modal({ isOpen, onClose, title, children }: { isOpen: boolean; onClose: () => void; title: string; children: ReactNode }) {
  return (
    <Dialog isOpen={isOpen} onClose={onClose} label={title} className="m-auto w-[min(28rem,calc(100vw-2rem))] animate-appear rounded-lg border border-line bg-raised shadow-raised">
      <div className="p-5">
        <h2 className="text-lg font-semibold">
          {title}
        </h2>
        {children}
      </div>
    </Dialog>
  )
}

/** A panel over the page on small screens. What is inside brings its own heading and its own way to close. */
export function Sheet({ isOpen, onClose, title, children }: { isOpen: boolean; onClose: () => void; title: string; children: ReactNode }) {
  return (
    <Dialog isOpen={isOpen} onClose={onClose} label={title} className="fixed top-10 mb-0 h-[calc(100dvh-2.5rem)] max-h-none w-full max-w-none animate-appear rounded-t-lg border-t border-line bg-surface shadow-raised">
      {/* Takes the focus when the sheet opens; the first button would show a ring that nobody asked for. */}
      <div tabIndex={-1} autoFocus className="flex h-full flex-col outline-none">
        {children}
      </div>
    </Dialog>
  )
}
