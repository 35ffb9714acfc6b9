import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { onKeyChange, takeKeyFromAddress } from './api/key.ts'
import { onPersonChange } from './api/login.ts'
import { queryClient } from './api/queries.ts'
import { startI18n } from './i18n/index.ts'
import { router } from './routes.tsx'
import './ui/app.css'

// zod would otherwise compile schemas with `new Function`, which the content-security policy forbids. It comes with the first page that needs it, and finds this.
Object.assign(globalThis, { __zod_globalConfig: { jitless: true } })

takeKeyFromAddress(location, history)
// What one key or person saw is not for the next.
for (const onChange of [onKeyChange, onPersonChange])
  onChange(() => {
    queryClient.clear()
    void router.invalidate()
  })

// A page left open over an upgrade asks for parts of itself that are gone: the new page has them. At most once a minute, in case it has not.
window.addEventListener('vite:preloadError', () => {
  const before = Number(sessionStorage.getItem('longhaul.reloadedAt'))
  if (Date.now() - before < 60_000) return
  sessionStorage.setItem('longhaul.reloadedAt', String(Date.now()))
  location.reload()
})

// The page's code and data are on their way while the texts are.
const texts = startI18n()
void router.load()
await texts
const root = document.getElementById('root')
if (!root) throw new Error('index.html has no #root.')
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
)
