import { useMay } from '../../api/permissions.ts'
import { useTexts } from '../../i18n/index.ts'
import { Button } from '../../ui/Button.tsx'
import { Modal } from '../../ui/Sheet.tsx'
import { mayGo, navigation } from '../shell/navigation.ts'

export function ShortcutSheet({ onClose }: { onClose: () => void }) {
  const { t } = useTexts()
  const may = useMay()
  const places = navigation.flatMap((group) => group.places).filter((place) => place.key !== undefined && mayGo(may, place) !== false)
  return (
    <Modal isOpen onClose={onClose} title={t('command.shortcuts')} size="lg">
      <div className="mt-3 grid gap-x-8 gap-y-5 text-sm sm:grid-cols-2">
        <Keys
          title={t('command.everywhere')}
          keys={[
            ['Ctrl/⌘ K', t('command.title')],
            ['/', t('command.search')],
            ['?', t('command.shortcuts')],
            ['Esc', t('command.closes')],
          ]}
        />
        <Keys title={t('command.goTo')} keys={places.map(({ key, name }) => [`g ${key}`, name(t)])} />
        <Keys
          title={t('approvals.title')}
          keys={[
            ['j k', t('command.move')],
            ['a ↵', t('wait.approve')],
            ['r ↵', t('command.deny')],
            ['↵', t('approvals.toRun')],
          ]}
        />
        <Keys
          title={t('timeline.title')}
          keys={[
            ['↑ ↓', t('command.move')],
            ['← →', t('command.fold')],
            ['↵', t('command.detail')],
          ]}
        />
      </div>
      <div className="mt-5 flex justify-end">
        <Button onClick={onClose}>{t('common.close')}</Button>
      </div>
    </Modal>
  )
}

function Keys({ title, keys }: { title: string; keys: readonly (readonly [string, string])[] }) {
  return (
    <div>
      <h3 className="mb-1 text-xs text-ink-3">{title}</h3>
      <dl className="space-y-1">
        {keys.map(([key, what]) => (
          <div key={key} className="flex items-center justify-between gap-4">
            <dt>{what}</dt>
            <dd>
              <kbd className="rounded-sm border border-line bg-sunken px-1.5 py-0.5 text-xs whitespace-nowrap text-ink-2">{key}</kbd>
            </dd>
          </div>
        ))}
      </dl>
    </div>
  )
}
