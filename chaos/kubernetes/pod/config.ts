import { httpUrl, integer, readConfig, text } from '@flowforge/runtime/config'

/** What the load in a pod is told. */
export function readLoadConfig() {
  return readConfig({
    url: httpUrl('FLOWFORGE_URL'),
    apiKey: text('FLOWFORGE_API_KEY'),
    /** A `Traffic` as JSON. */
    traffic: text('FLOWFORGE_CHAOS_TRAFFIC'),
    port: integer('FLOWFORGE_CHAOS_PORT', { default: 9400, min: 1, max: 65_535 }),
  })
}
