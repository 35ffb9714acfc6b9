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
}
