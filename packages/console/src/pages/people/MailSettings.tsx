import type { Me } from '@longhaul/protocol'
import { useMutation } from '@tanstack/react-query'
import { client } from '../../api/client.ts'
import { useTexts } from '../../i18n/index.ts'
import { Check } from '../../ui/Field.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { Section, useMeChange } from './Section.tsx'

/** Which mails one gets, of those that one may do without. */
export function MailSettings({ me }: { me: Me }) {
  const { t } = useTexts()
  const accept = useMeChange()
  const change = useMutation({ mutationFn: (approvals: boolean) => client.me.mails({ approvals }), onSuccess: (next) => accept(next) })
  return (
    <Section title={t('people.mailsTitle')}>
      <Check label={t('people.mailsOfApprovals')} isChecked={me.approvalMails} onChange={(isOn) => change.mutate(isOn)} />
      {change.isError && <RequestError error={change.error} />}
    </Section>
  )
}
