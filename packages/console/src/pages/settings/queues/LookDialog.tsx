import type { QueueMessage } from '@longhaul/protocol'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Check } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { client } from '../../../api/client.ts'
import { useTexts } from '../../../i18n/index.ts'
import { paths } from '../../../paths.ts'
import { Button } from '../../../ui/Button.tsx'
import { Skeleton } from '../../../ui/Notes.tsx'
import { Modal } from '../../../ui/Sheet.tsx'
import { AppLink } from '../../AppLink.tsx'
import { RequestError } from '../../ErrorPages.tsx'
import { JsonView } from '../../JsonView.tsx'
import { Ago } from '../../Moment.tsx'

/** Should the browser be closed meanwhile, the messages go back by themselves after this time. */
const visibilityMs = 120_000

/** Takes the oldest messages to look at them, and gives back on closing what was not acknowledged. */
export function LookDialog({ queue, onClose }: { queue: string; onClose: () => void }) {
  const { t } = useTexts()
  const queryClient = useQueryClient()
  const [gone, setGone] = useState<ReadonlySet<string>>(new Set())
  const asked = useRef(false)
  const refresh = () => queryClient.invalidateQueries({ queryKey: ['queues'] })
  const look = useMutation({ mutationFn: () => client.queues.receive({ queue, max: 10, visibilityMs }), onSettled: refresh })
  const acknowledge = useMutation({
    mutationFn: (message: QueueMessage) => client.queues.acknowledge({ queue, receipts: [message.receipt] }),
    onSuccess: (_, { id }) => setGone((before) => new Set(before).add(id)),
  })
  const giveBack = useMutation({
    mutationFn: async () => {
      const receipts = (look.data?.items ?? []).filter(({ id }) => !gone.has(id)).map(({ receipt }) => receipt)
      if (receipts.length > 0) await client.queues.extend({ queue, receipts, visibilityMs: 0 })
    },
    onSuccess: onClose,
    onSettled: refresh,
  })
  useEffect(() => {
    if (asked.current) return // Taken once, also where effects run twice.
    asked.current = true
    look.mutate()
  }, [look])
  return (
    <Modal isOpen isHeld onClose={() => giveBack.mutate()} title={t('queues.lookTitle', { name: queue })} size="lg">
      <div className="mt-3 space-y-4">
        <p className="text-sm text-ink-2">{t('queues.lookText')}</p>
        {look.isPending && <Skeleton className="h-40" />}
        {look.data?.items.length === 0 && <p className="border-y border-line py-3 text-sm text-ink-2">{t('queues.none')}</p>}
        {(look.error ?? acknowledge.error ?? giveBack.error) && <RequestError error={look.error ?? acknowledge.error ?? giveBack.error} />}
        <ul className="space-y-3">
          {look.data?.items.map((message) => (
            <li key={message.id} className="overflow-hidden rounded-md border border-line">
              <div className="flex min-h-9 flex-wrap items-center gap-x-3 gap-y-1 border-b border-line bg-sunken px-3 py-1 text-sm">
                <AppLink href={paths.run(message.runId)} className="rounded-sm font-medium hover:underline">
                  {message.agent}
                </AppLink>
                <span className="text-xs text-ink-3">
                  <Ago at={message.sentAt} /> · {t('queues.received', { count: message.receiveCount })}
                </span>
                <span className="ml-auto">
                  {gone.has(message.id) ? (
                    <span className="text-xs text-ink-3">{t('queues.acknowledged')}</span>
                  ) : (
                    <Button
                      size="sm"
                      aria-label={t('queues.acknowledgeOne', { agent: message.agent })}
                      isBusy={acknowledge.isPending && acknowledge.variables.id === message.id}
                      onClick={() => acknowledge.mutate(message)}
                    >
                      <Check size={13} aria-hidden />
                      {t('queues.acknowledge')}
                    </Button>
                  )}
                </span>
              </div>
              <div className="max-h-48 overflow-y-auto p-3" tabIndex={0} role="group" aria-label={message.agent}>
                <JsonView value={message.body} />
              </div>
            </li>
          ))}
        </ul>
        <div className="flex justify-end">
          <Button look="primary" isBusy={giveBack.isPending || look.isPending} onClick={() => giveBack.mutate()}>
            {t('queues.giveBack')}
          </Button>
        </div>
      </div>
    </Modal>
  )
}
