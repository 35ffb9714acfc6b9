import type { Line, Typeface, Weight } from './typeface.ts'

/** Height of the middle of letters above the baseline, as a share of the font size: between that of capitals and that of Chinese characters. */
const middle = 0.365

/** Replaces the text elements of an SVG, as ECharts writes them, by outlines, and removes what only a page with scripts could use. */
export function drawText(svg: string, typeface: Typeface, label: string): string {
  const used = new Set<string>()
  const drawn = svg
    .replace(/<style[\s\S]*?<\/style>/g, '')
    .replace(/ (ecmeta_[a-z_]+|class|pointer-events)="[^"]*"/g, '')
    .replace(/<text([^>]*)>([^<]*)<\/text>/g, (_, attributes: string, content: string) => {
      const { line, size, weight } = { line: unescape(content), size: sizeOf(attributes), weight: weightOf(attributes) }
      const laid = typeface.lay(line, weight)
      for (const { key } of laid.glyphs) used.add(key)
      return place(laid, size, attributes)
    })
  const glyphs = [...used].map((key) => `<path id="${key}" d="${typeface.outline(key)}"/>`).join('')
  return drawn.replace(/<svg([^>]*)>/, (_, attributes: string) => `<svg${attributes} role="img"><title>${escape(label)}</title><defs>${glyphs}</defs>`)
}

function place(line: Line, size: number, attributes: string): string {
  const scale = size / 1_000
  const anchor = attribute(attributes, 'text-anchor')
  const x = Number(attribute(attributes, 'x') ?? 0) - line.width * scale * (anchor === 'middle' ? 0.5 : anchor === 'end' ? 1 : 0)
  const y = Number(attribute(attributes, 'y') ?? 0) + (attribute(attributes, 'dominant-baseline') === 'central' ? middle * size : 0)
  const keep = ['transform', 'fill', 'fill-opacity', 'opacity']
    .map((name) => [name, attribute(attributes, name)] as const)
    .filter(([, value]) => value !== undefined)
  const uses = line.glyphs.map(({ key, x: at }) => `<use href="#${key}" x="${round(at)}"/>`).join('')
  return `<g ${keep.map(([name, value]) => `${name}="${value}"`).join(' ')}><g transform="matrix(${scale},0,0,${-scale},${round(x)},${round(y)})">${uses}</g></g>`
}

const attribute = (attributes: string, name: string): string | undefined => new RegExp(` ${name}="([^"]*)"`).exec(attributes)?.[1]
const sizeOf = (attributes: string): number => Number(/font-size:([\d.]+)px/.exec(attributes)?.[1] ?? 12)
const weightOf = (attributes: string): Weight => (/font-weight:(bold|[6-9]00)/.test(attributes) ? 600 : 400)
const round = (value: number): number => Math.round(value * 100) / 100

const entities: Readonly<Record<string, string>> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'" }
const unescape = (text: string): string => text.replace(/&(amp|lt|gt|quot|#39);/g, (entity) => entities[entity] ?? entity)
const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
