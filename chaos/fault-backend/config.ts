import { address, duration, oneOf, path, readConfig } from '@flowforge/runtime/config'

/** What the fault backend is told as a process of its own. */
export function readFaultBackendConfig() {
  return readConfig({
    listen: address('FLOWFORGE_LISTEN', { default: '0.0.0.0:7101' }),
    code: oneOf('FLOWFORGE_FAULT_CODE', ['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED', 'INTERNAL'], {
      default: 'UNAVAILABLE',
    }),
    delayMs: duration('FLOWFORGE_FAULT_DELAY', { default: '0s', max: '5m' }),
    certificates: path('FLOWFORGE_CERTIFICATES', { optional: true }),
  })
}
