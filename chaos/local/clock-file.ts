import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PlannedService } from '@flowforge/local/service-plan'

/** Lets a process read its clock's error from a file from its start on. */
export function withClockFile(planned: PlannedService, folder: string): PlannedService {
  const file = clockFile(folder, planned.name)
  writeFileSync(file, '0')
  const preload = `--import=${new URL(`./skewed-clock.mjs?file=${file}`, import.meta.url).href}`
  const options = [planned.env.NODE_OPTIONS, preload].filter(Boolean).join(' ')
  return { ...planned, env: { ...planned.env, NODE_OPTIONS: options } }
}

/** Where the error of a process's clock stands, in milliseconds. */
export function clockFile(folder: string, name: string): string {
  return join(folder, `clock-${name}`)
}
