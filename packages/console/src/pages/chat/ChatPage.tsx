import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { conversationsQuery } from '../../api/chat.ts'
import { agentsQuery } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths, patterns } from '../../paths.ts'
import { Button } from '../../ui/Button.tsx'
import { Select } from '../../ui/Fields.tsx'
import { EmptyState, Skeleton } from '../../ui/Notes.tsx'
import { Frame } from '../../ui/Page.tsx'
import { AppLink } from '../AppLink.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { Ago } from '../Moment.tsx'
import { PageHead } from '../PageHead.tsx'
import { randomId } from '../random-id.ts'
import { questionOf } from '../runs/run-facts.ts'
import { Conversation } from './Conversation.tsx'

/** A conversation with an agent: each turn is a run of one session. */
export function ChatPage() {
  const { t } = useTexts()
  const search = useSearch({ from: '/shell/chat' })
  const navigate = useNavigate()
  const agents = useQuery(agentsQuery())
  const { preview } = search
  const agent =
    agents.data?.items.find(({ name }) => name === search.agent) ?? agents.data?.items.find(({ status }) => status === 'ready') ?? agents.data?.items[0]
  // A conversation gets its name before it begins, and stands in the address from its first turn on.
  const [fresh, setFresh] = useState(() => `chat-${randomId()}`)
  const session = search.session ?? fresh
  const startNew = (name: string) => {
    setFresh(`chat-${randomId()}`)
    void navigate({ to: patterns.chat, search: { agent: name, session: undefined, preview: name === agent?.name ? preview : undefined } })
  }
  return (
    <>
      <PageHead
        title={t('chat.title')}
        actions={
          agent && (
            <>
              <Select
                label={t('runs.agent')}
                value={agent.name}
                options={agents.data?.items.map(({ name }) => ({ value: name, label: name })) ?? []}
                onChange={startNew}
              />
              <Button onClick={() => startNew(agent.name)}>
                <Plus size={14} aria-hidden />
                {t('chat.fresh')}
              </Button>
            </>
          )
        }
      />
      {agents.isPending && <Skeleton className="h-80" />}
      {agents.isError && !agents.data && <RequestError error={agents.error} />}
      {agents.data?.items.length === 0 && (
        <Frame>
          <EmptyState title={t('home.noAgents')}>{t('home.noAgentsText')}</EmptyState>
        </Frame>
      )}
      {agent && (
        <div className="grid gap-x-10 gap-y-8 lg:grid-cols-[minmax(0,1fr)_16rem]">
          <Conversation
            key={`${agent.name} ${session}`}
            agent={agent}
            session={session}
            preview={preview}
            onBegun={() =>
              search.session === undefined &&
              void navigate({ to: patterns.chat, search: { agent: agent.name, session, preview }, replace: true, resetScroll: false })
            }
          />
          <Conversations agent={agent.name} session={session} />
        </div>
      )}
    </>
  )
}

function Conversations({ agent, session }: { agent: string; session: string }) {
  const { t } = useTexts()
  const conversations = useQuery(conversationsQuery(agent))
  return (
    <aside aria-label={t('chat.earlier')} className="min-w-0">
      <h2 className="mb-1 text-xs text-ink-3">{t('chat.earlier')}</h2>
      {conversations.data?.length === 0 && <p className="text-sm text-ink-3">{t('chat.noEarlier')}</p>}
      <ul>
        {conversations.data?.map(({ session: one, last }) => (
          <li key={one}>
            <AppLink
              href={paths.chat({ agent, session: one })}
              className={`flex h-8 items-center gap-2 rounded-md px-2 text-sm hover:bg-hover ${one === session ? 'bg-hover font-medium' : 'text-ink-2'}`}
            >
              <span className="min-w-0 flex-1 truncate">{questionOf(last.input) || t('runs.noInput')}</span>
              <span className="text-xs text-ink-3">
                <Ago at={last.createdAt} />
              </span>
            </AppLink>
          </li>
        ))}
      </ul>
    </aside>
  )
}
