import type { AgentManifest } from '@longhaul/protocol'
import { useTexts } from '../../i18n/index.ts'
import { Code, CodeBlock } from '../../ui/Code.tsx'
import { formatCount } from '../../ui/format.ts'
import { Section } from '../../ui/Page.tsx'

/** What the live version says about itself. */
export function Definition({ manifest }: { manifest: AgentManifest }) {
  const { t, locale } = useTexts()
  return (
    <Section id="definition" title={t('agents.definition')}>
      <div className="space-y-4">
        <dl className="flex flex-wrap gap-x-10 gap-y-3 border-y border-line py-3 text-sm">
          <div>
            <dt className="text-xs text-ink-3">{t('agents.shape')}</dt>
            <dd>{t(`agents.shapes.${manifest.shape}`)}</dd>
          </div>
          <div>
            <dt className="text-xs text-ink-3">{t('run.model')}</dt>
            <dd>{manifest.model ?? '–'}</dd>
          </div>
          <div className="min-w-0">
            <dt className="text-xs text-ink-3">{t('agents.tools')}</dt>
            <dd className="break-words">{manifest.tools.map(({ name }) => name).join(', ') || t('common.none')}</dd>
          </div>
          {manifest.skills.length > 0 && (
            <div className="min-w-0">
              <dt className="text-xs text-ink-3">{t('agents.skills')}</dt>
              <dd className="break-words">{manifest.skills.map(({ name }) => name).join(', ')}</dd>
            </div>
          )}
        </dl>
        {manifest.instructions && (
          <CodeBlock title={t('detail.instructions')}>
            <div className="max-h-80 overflow-y-auto">
              <Code text={manifest.instructions} words={{ more: (chars) => t('common.more', { chars: formatCount(chars, locale) }) }} />
            </div>
          </CodeBlock>
        )}
      </div>
    </Section>
  )
}
