/** Loaded together: whoever sees the list looks at one of it. */
export { HookPage } from './HookPage.tsx'
export { HooksPage } from './HooksPage.tsx'
