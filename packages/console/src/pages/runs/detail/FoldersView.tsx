import type { FolderDecision } from '@longhaul/protocol'
import { useTexts } from '../../../i18n/index.ts'

/** Which folders of the server's machine the sandbox was shown for this step, and what decided it. */
export function FoldersView({ folders }: { folders: readonly FolderDecision[] }) {
  const { t } = useTexts()
  return (
    <ul>
      {folders.map(({ name, mode, outcome, policies }) => (
        <li key={name} className={outcome === 'refused' ? 'text-bad' : undefined}>
          <span className="font-mono text-xs">{name}</span> · {t(`detail.folderModes.${mode}`)} · {t(`detail.folderOutcomes.${outcome}`)}
          {policies.length > 0 && ` (${policies.join(', ')})`}
        </li>
      ))}
    </ul>
  )
}
