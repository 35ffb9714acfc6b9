import { X } from 'lucide-react'
import { useEffect, useId, useRef } from 'react'
import type { ReactNode } from 'react'
import { cx } from './cx.ts'

/** The browser's own dialog: it keeps the focus inside, closes on Escape and gives the focus back. */
function Dialog({ isOpen, onClose, labelledBy, className, children }: { isOpen: boolean; onClose: () => void; labelledBy: string; className: string; children: ReactNode }) {
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
      aria-labelledby={labelledBy}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
      onClick={(event) => event.target === event.currentTarget && onClose()}
      className={cx('text-ink backdrop:bg-[oklch(0.15_0.02_220/0.5)]', className)}
    >
      {children}
    </dialog>
  )
}

/** A question in the middle of the page that wants an answer. */
export function Modal({ isOpen, onClose, title, children }: { isOpen: boolean; onClose: () => void; title: string; children: ReactNode }) {
  const id = useId()
  return (
    <Dialog isOpen={isOpen} onClose={onClose} labelledBy={id} className="m-auto w-[min(28rem,calc(100vw-2rem))] animate-appear rounded-lg border border-line bg-raised shadow-raised">
      <div className="p-5">
        <h2 id={id} className="text-lg font-semibold">
          {title}
        </h2>
        {children}
      </div>
    </Dialog>
  )
}

/** A panel over the page on small screens. */
export function Sheet({ isOpen, onClose, title, closeLabel, children }: { isOpen: boolean; onClose: () => void; title: ReactNode; closeLabel: string; children: ReactNode }) {
  const id = useId()
  return (
    <Dialog isOpen={isOpen} onClose={onClose} labelledBy={id} className="fixed top-10 mb-0 h-[calc(100dvh-2.5rem)] max-h-none w-full max-w-none animate-appear rounded-t-lg border-t border-line bg-surface shadow-raised">
      <div className="flex h-full flex-col">
        <div className="flex items-center justify-between gap-3 border-b border-line py-2 pr-2 pl-4">
          <h2 id={id} className="min-w-0 truncate font-semibold">
            {title}
          </h2>
          <button type="button" aria-label={closeLabel} onClick={onClose} className="inline-flex size-8 items-center justify-center rounded-md text-ink-2 hover:bg-hover">
            <X size={16} aria-hidden />
          </button>
        </div>
        <div className="flex min-h-0 flex-1 flex-col">{children}</div>
      </div>
    </Dialog>
  )
}
