/** Loaded together, as what is said of how long things are kept. */
export { CallPrivacyPage } from './CallPrivacyPage.tsx'
export { RetentionPage } from './RetentionPage.tsx'
