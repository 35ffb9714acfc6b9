import { registerHooks } from 'node:module'

/** Packages that agents' code gets from whoever loads it: one copy of the SDK, and a zod that is there wherever the folder lies. */
const isSdk = (specifier: string) => specifier === '@longhaul/sdk' || specifier.startsWith('@longhaul/sdk/')
const isZod = (specifier: string) => specifier === 'zod' || specifier.startsWith('zod/')

let isProvided = false

/**
 * An agent's folder may lie anywhere, also where no `node_modules` is above it. So `@longhaul/sdk` is always this one, and
 * `zod` is this one's unless the folder brings its own. Once is enough for a process.
 */
export function provideOwnPackages(): void {
  if (isProvided) return
  isProvided = true
  registerHooks({
    resolve(specifier, context, next) {
      if (isSdk(specifier)) return next(specifier, { ...context, parentURL: import.meta.url })
      if (!isZod(specifier)) return next(specifier, context)
      try {
        return next(specifier, context)
      } catch {
        return next(specifier, { ...context, parentURL: import.meta.url }) // Not there: ours.
      }
    },
  })
}
