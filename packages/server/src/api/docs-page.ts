/** The API as a page to read: the OpenAPI document in plain HTML, without a script. */
import { createHash } from 'node:crypto'
import type { JsonSchema } from './json-schema.ts'
import type { Endpoint, OpenApi } from './open-api.ts'
import { fieldsOf, inWords } from './schema-words.ts'

const style = `
:root { color-scheme: light dark; --ink: light-dark(#16201f, #e6ecea); --ink-2: light-dark(#55625f, #9aa8a5); --line: light-dark(#dfe5e3, #2b3432); --soft: light-dark(#f2f5f4, #1b2322); --accent: light-dark(#0b6b66, #6fd0c6) }
* { box-sizing: border-box }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: light-dark(#fff, #121817) }
a { color: var(--accent); text-decoration: none }
a:hover, a:focus-visible { text-decoration: underline }
code { font: 13px/1.5 ui-monospace, monospace; overflow-wrap: anywhere }
header, main, nav { max-width: 64rem; margin: 0 auto; padding: 0 1.25rem }
header { padding-top: 2.5rem }
h1 { font-size: 1.5rem; line-height: 1.3; margin: 0 0 .5rem }
h2 { font-size: 1.1rem; margin: 2.5rem 0 .5rem }
p { margin: 0 0 .5rem; color: var(--ink-2); max-width: 46rem }
nav { display: flex; flex-wrap: wrap; gap: .1rem .9rem; padding-block: .75rem 0 }
details { border-top: 1px solid var(--line) }
details:last-child { border-bottom: 1px solid var(--line) }
summary { display: grid; grid-template-columns: 4.2rem minmax(0, 1fr); gap: 0 .5rem; padding: .5rem .25rem; cursor: pointer; list-style: none }
summary::-webkit-details-marker { display: none }
summary:hover { background: var(--soft) }
summary small { grid-column: 2; color: var(--ink-2); font-size: .875rem }
summary b { font: 600 12px/1.7 ui-monospace, monospace; color: var(--accent) }
details > div { padding: .25rem .25rem 1.25rem; overflow-x: auto }
@media (min-width: 40rem) { details > div { padding-left: 4.95rem } }
table { border-collapse: collapse; width: 100%; font-size: .875rem }
th, td { text-align: left; vertical-align: top; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line) }
th { color: var(--ink-2); font-weight: 500 }
`
/** It has this one style and nothing else. */
export const docsPolicy = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; base-uri 'none'; frame-ancestors 'none'`

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escaped = (text: string): string => text.replace(/[&<>"]/g, (each) => escapes[each] ?? each)
/** Text with `code` in it. */
const marked = (text: string): string => escaped(text).replace(/`([^`]+)`/g, '<code>$1</code>')

export function docsPage({ info, paths, components }: OpenApi): string {
  const endpoints = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, endpoint]) => ({ method: method.toUpperCase(), path, endpoint })),
  )
  const groups = [...Map.groupBy(endpoints, ({ endpoint }) => endpoint.operationId.split('.', 1)[0] ?? '')].toSorted(([one], [other]) =>
    one.localeCompare(other),
  )
  const shapes = Object.entries(components.schemas)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Longhaul API</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>Longhaul API</h1>
<p>${marked(info.description)}</p>
<p><a href="/v1/openapi.json">openapi.json</a>: the same for programs.</p>
</header>
<nav aria-label="Groups">${[...groups.map(([name]) => name), 'shapes'].map((name) => `<a href="#${name}">${name}</a>`).join('\n')}</nav>
<main>
${groups.map(([name, members]) => `<h2 id="${name}">${escaped(name)}</h2>\n${members.map(endpointHtml).join('\n')}`).join('\n')}
<h2 id="shapes">shapes</h2>
${shapes.map(([name, schema]) => shapeHtml(name, schema)).join('\n')}
</main>
</body>
</html>
`
}

function endpointHtml({ method, path, endpoint }: { method: string; path: string; endpoint: Endpoint }): string {
  const { operationId, summary, description, parameters = [], requestBody, responses } = endpoint
  const body = requestBody?.content['application/json']?.schema ?? {}
  const rows = [
    ...parameters.map(({ name, in: place, required, schema, description: note }) => [
      name,
      place,
      `${inWords(schema)}${note ? `. ${note}` : ''}`,
      required ? 'required' : absent(schema.default),
    ]),
    ...fieldsOf(body).map(({ name, kind, isRequired, default: value }) => [name, 'body', kind, isRequired ? 'required' : absent(value)]),
  ]
  const done = responses['200']
  const answer = done && 'content' in done ? done.content?.['application/json']?.schema : undefined
  return `<details id="${operationId}"><summary><b>${method}</b><code>${escaped(path)}</code><small>${marked(summary)}</small></summary><div>
<p>${marked(description ?? '')} Operation <code>${operationId}</code>.</p>
${rows.length > 0 ? table(['Field', 'In', 'Value', 'When absent'], rows) : ''}
<p>Answers ${answer ? `<code>${escaped(inWords(answer))}</code>` : 'bytes'}.</p>
</div></details>`
}

function shapeHtml(name: string, schema: JsonSchema): string {
  const rows = fieldsOf(schema).map(({ name: field, kind, isRequired }) => [field, kind, isRequired ? 'always' : 'sometimes'])
  const each = schema.oneOf ?? schema.anyOf
  const rest = each ? each.map(inWords).join(' or ') : inWords(schema)
  return `<details id="shape.${escaped(name)}"><summary><b></b><code>${escaped(name)}</code></summary><div>
${rows.length > 0 ? table(['Field', 'Value', 'There'], rows) : `<p>${escaped(rest)}</p>`}
</div></details>`
}

const absent = (value: unknown): string => (value === undefined ? '–' : JSON.stringify(value))

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  `<table><thead><tr>${head.map((cell) => `<th>${cell}</th>`).join('')}</tr></thead><tbody>
${rows.map((cells) => `<tr>${cells.map((cell, at) => `<td>${at === 0 ? `<code>${escaped(cell)}</code>` : escaped(cell)}</td>`).join('')}</tr>`).join('\n')}
</tbody></table>`
