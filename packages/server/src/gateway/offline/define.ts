// "What does NRR mean?": the layer's own words, without a figure.
import { listed, type Language } from './format.ts'
import type { Frame } from './frame.ts'
import type { Layer } from './layer.ts'
import { speech, standIn } from './speech.ts'

export function define(frame: Frame, layer: Layer, language: Language): string {
  const say = speech[language]
  const lines = frame.metrics.flatMap((name) => {
    const metric = layer.metrics.get(name)
    if (!metric) return []
    const columns = [...new Set(metric.dimensions.flatMap((ref) => layer.dimensions.get(ref)?.label[language] ?? []))]
    return [say.definition(metric.label[language], metric.description.trim(), metric.unit) + say.dimensions(listed(columns, language))]
  })
  return `${lines.join('\n')}\n\n${standIn[language]}`
}
