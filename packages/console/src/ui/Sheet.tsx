import { Dialog } from '@base-ui/react/dialog'
import { X } from 'lucide-react'
import type { ReactNode } from 'react'
import { cx } from './cx.ts'

const backdrop = 'fixed inset-0 z-40 animate-appear bg-[oklch(0.15_0.02_220/0.45)]'

/** A question in the middle of the page that wants an answer. */
export function Modal({ isOpen, onClose, title, children }: { isOpen: boolean; onClose: () => void; title: string; children: ReactNode }) {
  return (
    <Dialog.Root open={isOpen} onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className={backdrop} />
        <Dialog.Popup className="fixed top-1/2 left-1/2 z-50 w-[min(28rem,calc(100vw-2rem))] -translate-1/2 animate-appear rounded-lg border border-line bg-raised p-5 shadow-raised">
          <Dialog.Title className="text-lg font-semibold">{title}</Dialog.Title>
          {children}
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  )
}

/** A panel over the page on small screens. */
export function Sheet({ isOpen, onClose, title, closeLabel, children }: { isOpen: boolean; onClose: () => void; title: ReactNode; closeLabel: string; children: ReactNode }) {
  return (
    <Dialog.Root open={isOpen} onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className={backdrop} />
        <Dialog.Popup className={cx('fixed inset-x-0 top-12 bottom-0 z-50 flex animate-appear flex-col rounded-t-lg border-t border-line bg-surface shadow-raised')}>
          <div className="flex items-center justify-between gap-3 border-b border-line py-2 pr-2 pl-4">
            <Dialog.Title className="min-w-0 truncate font-semibold">{title}</Dialog.Title>
            <Dialog.Close aria-label={closeLabel} className="inline-flex size-8 items-center justify-center rounded-md text-ink-2 hover:bg-hover">
              <X size={16} aria-hidden />
            </Dialog.Close>
          </div>
          <div className="min-h-0 flex-1 overflow-y-auto overscroll-contain">{children}</div>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  )
}
