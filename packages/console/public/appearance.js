// Runs before the first paint, so that a chosen theme or language never flashes up as another one.
{
  const html = document.documentElement
  let stored = {}
  try {
    stored = { theme: localStorage.getItem('longhaul.theme'), language: localStorage.getItem('longhaul.language') }
  } catch {
    // Storage may be forbidden; then the system's settings hold.
  }
  if (stored.theme === 'light' || stored.theme === 'dark') html.dataset.theme = stored.theme
  html.lang = stored.language ?? (navigator.language.startsWith('zh') ? 'zh' : 'en')

  // What the first page is made of comes beside the shell. A page that is not listed, and a build without a list, asks for it later.
  const { pages = {}, ...texts } = JSON.parse(html.dataset.preload ?? '{}')
  const path = location.pathname.replace(/(?<=^\/runs\/)[^/]+$/, '')
  for (const href of pages[path] ? [...pages[path], ...(texts[html.lang]?.[path] ?? [])] : [])
    document.head.append(Object.assign(document.createElement('link'), { rel: 'modulepreload', href }))
}
