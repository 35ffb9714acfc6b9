/** Embeddings of a provider that has a protocol of its own for them, through its package: as many requests as it takes. */
import type { EmbeddingModelV4 } from '@ai-sdk/provider'

export type Embedded = { vectors: number[][]; /** Undefined when the provider did not say it of all. */ tokens: number | undefined }

/** Requests that are under way at once. */
const atOnce = 4

/** `dimensions`: where the model lets one choose. Rejects with whatever the package throws. */
export async function embedTexts(
  model: EmbeddingModelV4,
  texts: readonly string[],
  options: { dimensions?: number | undefined; signal: AbortSignal },
): Promise<Embedded> {
  const perCall = Math.max(1, (await model.maxEmbeddingsPerCall) ?? 1)
  const batches = Array.from({ length: Math.ceil(texts.length / perCall) }, (_, n) => texts.slice(n * perCall, (n + 1) * perCall))
  const results: { vectors: number[][]; tokens: number | undefined }[] = []
  for (let from = 0; from < batches.length; from += atOnce) {
    const made = await Promise.all(
      batches.slice(from, from + atOnce).map(async (values) => {
        const { embeddings, usage } = await model.doEmbed({ values, abortSignal: options.signal, ...dimensionsFor(model, options.dimensions) })
        return { vectors: embeddings, tokens: Number.isSafeInteger(usage?.tokens) ? usage?.tokens : undefined }
      }),
    )
    results.push(...made)
  }
  const counts = results.map(({ tokens }) => tokens)
  return {
    vectors: results.flatMap(({ vectors }) => vectors),
    tokens: counts.some((count) => count === undefined) ? undefined : counts.reduce<number>((sum, count) => sum + (count ?? 0), 0),
  }
}

/** Each family has its own word for it. */
function dimensionsFor({ modelId }: EmbeddingModelV4, dimensions: number | undefined): { providerOptions?: { amazonBedrock: Record<string, number> } } {
  if (dimensions === undefined) return {}
  const word = modelId.includes('cohere.') ? 'outputDimension' : modelId.includes('nova-') ? 'embeddingDimension' : 'dimensions'
  return { providerOptions: { amazonBedrock: { [word]: dimensions } } }
}
